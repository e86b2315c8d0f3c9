import { startAdmin } from '../admin/server.ts'
import { steady, systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { RecordBlocks } from '../encode/record-block.ts'
import { asFault, Fault } from '../errors.ts'
import { reportWorker } from '../observe/first-figures.ts'
import { createLogger } from '../observe/logger.ts'
import { createMetrics } from '../observe/metrics.ts'
import { waitFor } from '../pipeline/startup.ts'
import { createRedact, oneLine } from '../redact.ts'
import { Secrets, secretsIn } from '../secret.ts'
import { type Mongo, openMongo } from '../source/mongo.ts'
import type { Workers } from '../workers/workers.ts'
import type { Common } from './common.ts'
import { chooseDelivery, planText } from './delivery.ts'
import { Fleet } from './fleet.ts'
import { exitCodes, type Io } from './io.ts'
import { partitionOrder } from './partition-order.ts'
import { type ConfigSource, Reloader } from './reload.ts'
import { workOnSlots } from './slots.ts'
import { openStore, openTarget } from './target.ts'
import { version } from './version.ts'
import { openWorkers } from './workers.ts'

const reportEveryMs = 1_000
const windowEveryMs = 10_000

/**
 * Composes the parts that `config` asks for and runs them; what changes in `source` later is taken over meanwhile.
 * Resolves to the exit code.
 */
export async function runDaemon(config: Config, source: ConfigSource, io: Io, stop: AbortSignal): Promise<number> {
  const { sink, admin } = config
  const secrets = new Secrets(secretsIn(config))
  io.onSecrets?.(secrets)
  const destination = sink.type === 'stdout' ? 'stderr' : 'stdout'
  const log = createLogger({ level: config.log.level, destination, secrets })
  const { meter, contentType, text } = createMetrics({ version })
  reportWorker(meter, config.workers.slots)
  const redact = createRedact(secrets)
  const fleet = new Fleet({ config, clock: systemClock, log, meter, io, secrets, redact })
  const { common, supervisor } = fleet
  const reloader = new Reloader({ ...common, source: taught(source, secrets), apply: next => fleet.apply(next) })
  try {
    // Not `stop`: the status stays visible while draining.
    const open = new AbortController().signal
    await using server = await startAdmin(
      {
        host: admin.host,
        port: admin.port,
        token: admin.token,
        version,
        statuses: () => supervisor.monitors.map(monitor => monitor.status),
        workers: () => fleet.workers?.status,
        config: () => reloader.status,
        control: () => (fleet.workers ? fleet : undefined),
        metrics: {
          contentType,
          text: () => {
            fleet.report()
            return text()
          },
        },
        clock: systemClock,
        log,
        secrets,
      },
      open,
    )
    log.info({ version, node: process.version, name: config.name, admin: server.address }, 'mongo2kafka starts')
    fleet.port = server.address.port
    return await runFleet(fleet, reloader, stop)
  } catch (error) {
    if (stop.aborted && !(error instanceof Fault)) return exitCodes.done // Stopped before anything was read.
    const fault = asFault(error)
    log.error({ code: fault.code, remedy: fault.remedy, error: fault }, fault.message)
    explain(common, fault)
    return exitCodes.failed
  }
}

/** `source`, of which all redactors know what it loads: the files behind `${file:…}` may have changed. */
function taught(source: ConfigSource, secrets: Secrets): ConfigSource {
  return {
    file: source.file,
    onRequest: listener => source.onRequest(listener),
    load: () => {
      const config = source.load()
      for (const secret of secretsIn(config)) secrets.keep(secret.reveal())
      return config
    },
  }
}

/** Opens what all pipelines share and lets them run until `stop`, or until none can go on. */
async function runFleet(fleet: Fleet, reloader: Reloader, stop: AbortSignal): Promise<number> {
  const { common, supervisor } = fleet
  const { config, clock, log, meter } = common
  const wait = { limitMs: config.startup.waitMs, backOff: { initialMs: 200, maxMs: 2_000 }, clock, log }
  const open = <T>(what: string, opener: () => Promise<T>): Promise<T> => waitFor({ ...wait, what }, opener, stop)

  const uri = config.mongodb.uri.reveal()
  await using mongo = await open('MongoDB', () => openMongo({ uri, clock, log, meter }, stop))
  await using target = await open('Kafka', () => openTarget(common, stop))
  const choice = chooseDelivery(config, target.capabilities)
  const { delivery } = choice
  const { headers: recordHeaders, idempotence, transactions } = target.capabilities
  log.info({ delivery, recordHeaders, idempotence, transactions }, planText(target.about, choice))
  await using store = await open('the checkpoint store', () => openStore(common, mongo.identity, stop))
  fleet.opened({ mongo, target, store, delivery, blocks: new RecordBlocks() })

  const finished = new AbortController()
  const ending = AbortSignal.any([stop, supervisor.exhausted])
  const beside = [
    report(fleet, mongo, finished.signal),
    reloader.run(AbortSignal.any([finished.signal, ending])),
    adviseOrder(common, mongo, target.about.partitionBytesPerSecond, finished.signal),
  ]
  try {
    await work(fleet, mongo.identity, ending)
  } finally {
    finished.abort()
    await Promise.all(beside)
  }
  return outcome(fleet)
}

/**
 * Where a partition takes only so much: how many to order, by what MongoDB is measured to write. Nothing waits for it: a
 * busy oplog takes some seconds to measure. Never rejects.
 */
async function adviseOrder(
  { config, log }: Common,
  mongo: Mongo,
  partitionBytesPerSecond: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (partitionBytesPerSecond === undefined) return
  const rate = await mongo.oplogRate(signal).catch(() => undefined)
  if (signal.aborted) return
  const { text, isTooFew } = partitionOrder(rate, partitionBytesPerSecond, config.pipelines)
  if (isTooFew) log.warn({ ...rate }, text)
  else log.info({ ...rate }, text)
}

/** Works on slots until `stop`. */
function work(fleet: Fleet, cluster: string, stop: AbortSignal): Promise<void> {
  const { common, supervisor, pauses } = fleet
  const { config, clock, log } = common
  const open = (): Workers => {
    fleet.workers = openWorkers(common, cluster, { port: fleet.port, busy: () => fleet.busy, pauses })
    return fleet.workers
  }
  return workOnSlots({ open, backOff: config.retry, clock, log }, supervisor, stop)
}

function outcome({ common, supervisor }: Fleet): number {
  const { log } = common
  const { failures } = supervisor
  if (failures.length === 0) {
    log.info({}, 'mongo2kafka stopped; everything that was read is acknowledged and saved')
    return exitCodes.done
  }
  const names = [...new Set(failures.map(({ pipeline }) => pipeline))]
  log.error({ pipelines: names }, 'mongo2kafka stopped with failed pipelines; their errors are above')
  const { slots } = common.config.workers
  for (const { pipeline, slot, fault } of failures) {
    explain(common, fault, slots > 1 ? `pipeline ${pipeline}, slot ${slot}: ` : `pipeline ${pipeline}: `)
  }
  return exitCodes.failed
}

/** Why we end, for the person at the terminal: the log may go elsewhere. */
function explain({ io, redact }: Common, fault: Fault, where = ''): void {
  io.stderr.write(`mongo2kafka: ${where}${fault.code}: ${oneLine(redact(fault.message))}\n  Remedy: ${fault.remedy}\n`)
}

/** Keeps the gauges fresh: lag each second, the oplog window every ten. */
async function report(fleet: Fleet, mongo: Mongo, signal: AbortSignal): Promise<void> {
  const { log } = fleet.common
  const clock = steady(fleet.common.clock)
  let windowDueMs = 0
  while (!signal.aborted) {
    if (clock.nowMs() >= windowDueMs) {
      windowDueMs = clock.nowMs() + windowEveryMs
      try {
        const window = await mongo.window(signal)
        for (const monitor of fleet.supervisor.monitors) monitor.oplogWindow(window)
      } catch (error) {
        if (!signal.aborted) log.debug({ error }, 'the oplog window could not be read; trying again later')
      }
    }
    fleet.report()
    await clock.sleep(reportEveryMs, signal).catch(() => undefined)
  }
}
