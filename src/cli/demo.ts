import { extname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Clock, systemClock } from '../clock.ts'
import { processEnvironment } from '../config/environment.ts'
import { Fault } from '../errors.ts'
import { Load } from '../services/load.ts'
import { openServices } from '../services/open-services.ts'
import { freePort } from '../services/ports.ts'
import { logTail, ServerProcess, whenReady } from '../services/process.ts'
import type { Services } from '../services/services.ts'
import { type TailRecord, tailTopics } from '../services/tail.ts'
import { Workspace } from '../services/workspace.ts'
import type { PipelineStatus } from '../status.ts'
import {
  agree,
  type DemoPipeline,
  demoPipelines,
  demoTopics,
  expectedRecords,
  recordLine,
  statusLine,
  summary,
} from './demo-report.ts'
import { exitCodes, type Io } from './io.ts'

const usage = `Usage: mongo2kafka demo [--seconds N]

  --seconds N   ends by itself after N seconds of load, with a summary; else until Ctrl-C
`
const writesPerSecond = 200
const shownPerSecond = 6
const readyLimitMs = 60_000
const arrivalLimitMs = 60_000
/** After the last record is due, this long for one too many to show up. */
const surplusWaitMs = 1_000
const answerLimitMs = 2_000

/** Everything on this machine: services, daemon, load and a consumer. Resolves to the exit code. */
export async function demo(argv: readonly string[], io: Io, stop: AbortSignal): Promise<number> {
  const seconds = secondsOf(argv)
  if (seconds === undefined) {
    io.stderr.write(usage)
    return exitCodes.usage
  }
  const say = (line: string) => void io.stderr.write(`${line}\n`)
  try {
    // Services of its own, always: the demo drops and fills a database, which a named server should be spared.
    const env = { ...processEnvironment(), M2K_TEST_MONGODB_URI: undefined, M2K_TEST_KAFKA_BROKERS: undefined }
    await using services = await openServices({ env, progress: say, signal: stop })
    await using load = await Load.open(services.mongodbUri, systemClock)
    await using daemon = await startDaemon(services, env, say, stop)
    return await show({ services, load, daemon, io, clock: systemClock }, seconds, stop)
  } catch (error) {
    if (stop.aborted) return exitCodes.done // Ctrl-C while starting: what was started has been disposed.
    if (!(error instanceof Fault)) throw error
    say(`mongo2kafka demo: ${error.code}: ${error.message}\n  ${error.remedy}`)
    return exitCodes.failed
  }
}

/** 0 is without end, undefined bad usage. */
function secondsOf(argv: readonly string[]): number | undefined {
  try {
    const { values } = parseArgs({ args: [...argv], options: { seconds: { type: 'string', default: '0' } } })
    const seconds = Number(values.seconds)
    return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined
  } catch {
    return undefined
  }
}

interface Daemon extends AsyncDisposable {
  readonly process: ServerProcess
  readonly logFile: string
  readonly adminUrl: string
}

/** The daemon as users run it: a process of its own with config/demo.yaml. Ready when this resolves. */
async function startDaemon(
  services: Services,
  base: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Daemon> {
  say('Starting mongo2kafka on config/demo.yaml')
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('demo'))
  const port = await freePort()
  const logFile = join(workspace.dir, 'daemon.log')
  const main = join(import.meta.dirname, `../main${extname(import.meta.filename)}`)
  const env = {
    ...base,
    MONGODB_URI: services.mongodbUri,
    KAFKA_BROKERS: services.kafkaBrokers.join(','),
    DEMO_ADMIN_PORT: String(port),
  }
  const args = [main, 'run', '-c', join(import.meta.dirname, '../../config/demo.yaml')]
  const server = await ServerProcess.spawn({ program: process.execPath, args, logFile, env }, workspace)
  stack.defer(() => server.end('SIGTERM'))
  const adminUrl = `http://127.0.0.1:${port}`
  await whenReady('mongo2kafka', server, logFile, readyLimitMs, signal, async () => {
    const answer = await fetchBriefly(`${adminUrl}/readyz`, systemClock)
    return answer?.ok ? true : undefined
  })
  say(`Status page: ${adminUrl}/`)
  const owned = stack.move()
  return { process: server, logFile, adminUrl, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

interface Stage {
  readonly services: Services
  readonly load: Load
  readonly daemon: Daemon
  readonly io: Io
  readonly clock: Clock
}

/** Load and records, until the time is up or `stop` aborts; then the summary. */
async function show(stage: Stage, seconds: number, stop: AbortSignal): Promise<number> {
  const { services, load, daemon, io, clock } = stage
  const consumed: Record<DemoPipeline, number> = { orders: 0, customers: 0, audit: 0 }
  let shown = 0
  const onRecord = (record: TailRecord) => {
    const pipeline = demoPipelines.find(name => demoTopics[name] === record.topic)
    if (pipeline) consumed[pipeline] += 1
    if (shown++ < shownPerSecond) io.stdout.write(`${recordLine(record)}\n`)
  }
  const ended = new AbortController()
  const loadStop = new AbortController()
  const tailStop = new AbortController()
  const tailing = tailTopics(services.kafkaBrokers, Object.values(demoTopics), onRecord, {
    clock,
    stop: tailStop.signal,
  })
  const loading = load.run(writesPerSecond, AbortSignal.any([stop, loadStop.signal]))
  // A failure of either ends the show; it surfaces where both are awaited.
  for (const part of [tailing, loading]) part.catch(() => ended.abort())
  const status = async () => {
    const pipelines = await pipelineStatuses(daemon.adminUrl, clock)
    io.stdout.write(`${statusLine(expectedRecords(load.counts), consumed, pipelines)}\n`)
    shown = 0
  }
  try {
    const endMs = seconds > 0 ? clock.nowMs() + seconds * 1_000 : Number.POSITIVE_INFINITY
    const shownUntil = AbortSignal.any([stop, ended.signal])
    while (!shownUntil.aborted && daemon.process.running && clock.nowMs() < endMs) {
      await clock.sleep(Math.max(1, Math.min(1_000, endMs - clock.nowMs())), shownUntil).catch(() => {})
      await status()
    }
    loadStop.abort()
    await loading
    await arrival(() => agree(expectedRecords(load.counts), consumed), stage, shownUntil)
  } finally {
    loadStop.abort()
    tailStop.abort()
    await Promise.allSettled([loading, tailing]) // Neither may outlive the services.
  }
  await tailing
  return verdict(stage, consumed, stop)
}

/** Waits until all that was written has arrived, and a little longer for what should not; bounded. */
async function arrival(arrived: () => boolean, { daemon, clock }: Stage, stop: AbortSignal): Promise<void> {
  const deadlineMs = clock.nowMs() + arrivalLimitMs
  while (!arrived() && daemon.process.running && !stop.aborted && clock.nowMs() < deadlineMs) {
    await clock.sleep(100, stop).catch(() => {})
  }
  await clock.sleep(surplusWaitMs, stop).catch(() => {})
}

async function verdict(
  { load, daemon, io }: Stage,
  consumed: Readonly<Record<DemoPipeline, number>>,
  stop: AbortSignal,
) {
  const expected = expectedRecords(load.counts)
  io.stdout.write(summary(expected, consumed, load.transactions))
  if (stop.aborted) return exitCodes.done // Ctrl-C does not wait for the last records.
  if (!daemon.process.running) {
    io.stderr.write(`mongo2kafka ended with ${daemon.process.exitCode}. Its log:\n${await logTail(daemon.logFile)}\n`)
    return exitCodes.failed
  }
  return agree(expected, consumed) ? exitCodes.done : exitCodes.failed
}

async function pipelineStatuses(adminUrl: string, clock: Clock): Promise<readonly PipelineStatus[]> {
  const answer = await fetchBriefly(`${adminUrl}/api/v1/pipelines`, clock)
  if (!answer?.ok) return []
  const { pipelines } = JSON.parse(answer.body) as { pipelines: readonly PipelineStatus[] }
  return pipelines
}

/** undefined where there is no answer within two seconds. */
async function fetchBriefly(url: string, clock: Clock): Promise<{ ok: boolean; body: string } | undefined> {
  const patience = new AbortController()
  const answered = new AbortController()
  const timer = clock.sleep(answerLimitMs, answered.signal).then(
    () => patience.abort(),
    () => {},
  )
  try {
    const response = await fetch(url, { signal: patience.signal })
    return { ok: response.ok, body: await response.text() }
  } catch {
    return undefined
  } finally {
    answered.abort()
    await timer
  }
}
