import { startAdmin } from '../admin/server.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { RecordBlocks } from '../encode/record-block.ts'
import { asFault, Configuration, Fault } from '../errors.ts'
import { createLogger } from '../observe/logger.ts'
import { createMetrics } from '../observe/metrics.ts'
import { Monitor } from '../pipeline/monitor.ts'
import { runPipeline } from '../pipeline/run-pipeline.ts'
import { waitFor } from '../pipeline/startup.ts'
import { withThrottling } from '../pipeline/throttling.ts'
import { createRedact } from '../redact.ts'
import { type Mongo, openMongo } from '../source/mongo.ts'
import type { Common } from './common.ts'
import { exitCodes, type Io } from './io.ts'
import { type PipelineResources, pipelineParts } from './pipeline-parts.ts'
import { openStore, openTarget } from './target.ts'
import { version } from './version.ts'

const reportEveryMs = 1_000
const windowEveryMs = 10_000

/** Composes the parts that `config` asks for and runs them. Resolves to the exit code. */
export async function runDaemon(config: Config, io: Io, stop: AbortSignal): Promise<number> {
  const secrets = [config.mongodb.uri, config.sink.sasl?.password, config.admin.token].filter(secret => !!secret)
  const destination = config.sink.type === 'stdout' ? 'stderr' : 'stdout'
  const log = createLogger({ level: config.log.level, destination, secrets })
  const metrics = createMetrics({ version })
  const monitors = config.pipelines.map(({ name }) => new Monitor(name, systemClock, metrics.meter))
  const meter = withThrottling(metrics.meter, monitors)
  const common: Common = { config, clock: systemClock, log, meter, io, redact: createRedact(secrets) }
  const text = (): Promise<string> => {
    for (const monitor of monitors) monitor.report()
    return metrics.text()
  }
  try {
    checkBuilt(config)
    const { host, port } = config.admin
    const statuses = () => monitors.map(monitor => monitor.status)
    const shown = { contentType: metrics.contentType, text }
    // Not `stop`: the status stays visible while draining.
    const open = new AbortController().signal
    await using admin = await startAdmin({ host, port, statuses, metrics: shown, log, secrets }, open)
    log.info({ version, node: process.versions.node, name: config.name, admin: admin.address }, 'mongo2kafka starts')
    return await runPipelines(common, monitors, stop)
  } catch (error) {
    if (stop.aborted && !(error instanceof Fault)) return exitCodes.done // Stopped before anything was read.
    const fault = asFault(error)
    log.error({ code: fault.code, remedy: fault.remedy, error: fault }, fault.message)
    explain(common, fault)
    return exitCodes.failed
  }
}

/** What the configuration knows already and the daemon does not. */
function checkBuilt({ delivery, workers }: Config): void {
  const wanted = [
    delivery === 'exactly-once' && 'delivery exactly-once',
    workers.slots > 1 && 'more than one slot',
    workers.coordination !== 'none' && `workers.coordination ${workers.coordination}`,
  ].filter(text => text !== false)
  if (wanted.length > 0) throw new Configuration('CONFIG_INVALID', `${wanted.join(', ')}: cannot be used yet`)
}

async function runPipelines(common: Common, monitors: readonly Monitor[], stop: AbortSignal): Promise<number> {
  const { config, clock, log, meter } = common
  const wait = { limitMs: config.startup.waitMs, backOff: { initialMs: 200, maxMs: 2_000 }, clock, log }
  const open = <T>(what: string, opener: () => Promise<T>): Promise<T> => waitFor({ ...wait, what }, opener, stop)

  const uri = config.mongodb.uri.reveal()
  await using mongo = await open('MongoDB', () => openMongo({ uri, clock, log, meter }, stop))
  await using target = await open('Kafka', () => openTarget(common, stop))
  await using store = await open('the checkpoint store', () => openStore(common, stop))

  const finished = new AbortController()
  const reporting = report(common, mongo, monitors, finished.signal)
  const opened = { mongo, target, store, blocks: new RecordBlocks() }
  const faults = await Promise.all(startPipelines(common, opened, monitors, stop))
  finished.abort()
  await reporting
  const failed = config.pipelines.flatMap(({ name }, index) => {
    const fault = faults[index]
    return fault ? [{ name, fault }] : []
  })
  if (failed.length === 0) {
    log.info({}, 'mongo2kafka stopped; everything that was read is acknowledged and saved')
    return exitCodes.done
  }
  const names = failed.map(({ name }) => name)
  log.error({ pipelines: names }, 'mongo2kafka stopped with failed pipelines; their errors are above')
  for (const { name, fault } of failed) explain(common, fault, `pipeline ${name}: `)
  return exitCodes.failed
}

/** Why we end, for the person at the terminal: the log may go elsewhere. */
function explain({ io, redact }: Common, fault: Fault, where = ''): void {
  io.stderr.write(`mongo2kafka: ${where}${fault.code}: ${redact(fault.message)}\n  Remedy: ${fault.remedy}\n`)
}

function startPipelines(
  common: Common,
  opened: Omit<PipelineResources, 'monitor'>,
  monitors: readonly Monitor[],
  stop: AbortSignal,
) {
  return common.config.pipelines.map((pipeline, index) => {
    const monitor = monitors[index]
    if (!monitor) throw new RangeError(`no monitor for pipeline ${pipeline.name}`)
    return runPipeline(pipelineParts(common, pipeline, { ...opened, monitor }), stop)
  })
}

/** Keeps the gauges fresh: lag each second, the oplog window every ten. */
async function report(common: Common, mongo: Mongo, monitors: readonly Monitor[], signal: AbortSignal): Promise<void> {
  const { clock, log } = common
  let windowDueMs = 0
  while (!signal.aborted) {
    if (clock.nowMs() >= windowDueMs) {
      windowDueMs = clock.nowMs() + windowEveryMs
      try {
        const window = await mongo.window(signal)
        for (const monitor of monitors) monitor.oplogWindow(window)
      } catch (error) {
        if (!signal.aborted) log.debug({ error }, 'the oplog window could not be read; trying again later')
      }
    }
    for (const monitor of monitors) monitor.report()
    await clock.sleep(reportEveryMs, signal).catch(() => undefined)
  }
}
