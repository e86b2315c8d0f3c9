import type { CheckpointStore } from '../checkpoint/checkpoint.ts'
import type { Clock } from '../clock.ts'
import type { Encoder } from '../encode/encode.ts'
import { asFault, type Fault, Retryable } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import type { Position } from '../position.ts'
import { type BackOff, backOffMs } from '../retry.ts'
import type { Sink, TopicSpec } from '../sink/sink.ts'
import type { Source } from '../source/source.ts'
import { AtLeastOnce, type SavePosition } from './at-least-once.ts'
import { Ledger } from './ledger.ts'
import type { Monitor } from './monitor.ts'
import type { Delivery } from './pipeline.ts'
import { createPrepare } from './prepare.ts'
import { type StreamParts, stream } from './stream.ts'

export interface PipelineParts {
  readonly name: string
  readonly deployment: string
  readonly source: Source
  readonly cluster: string
  readonly filterHash: string
  readonly store: CheckpointStore
  readonly openSink: (signal: AbortSignal) => Promise<Sink>
  readonly createEncoder: (sink: Sink, generation: number) => Encoder
  readonly topic: string
  readonly spec: TopicSpec
  /** Where to start without a checkpoint; undefined: now. */
  readonly startAt: Position | undefined
  readonly saveIntervalMs: number
  readonly limits: StreamParts['limits']
  readonly backOff: BackOff
  readonly monitor: Monitor
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/** The parts of the loop that are exchanged: deliveries by what the target can do, and broken ones by the simulation. */
export interface Machinery {
  readonly stream: typeof stream
  readonly createDelivery: (sink: Sink, save: SavePosition) => Delivery
}

export const machinery: Machinery = {
  stream,
  createDelivery: (sink, save) => new AtLeastOnce(sink, save),
}

/**
 * Runs a pipeline until `stop` aborts, and again after each error that a retry can mend, always from its durable
 * position. Resolves to undefined after a clean stop, else to the fault that ended it: its position is kept, and the
 * next start continues there. The number of retries has no limit, their rate has (G7); not ready meanwhile (G8).
 */
export async function runPipeline(
  parts: PipelineParts,
  stop: AbortSignal,
  machine: Machinery = machinery,
): Promise<Fault | undefined> {
  const { monitor, clock, log } = parts
  let failures = 0
  let lastFault: Fault | undefined
  let lastPosition: Position | undefined
  for (;;) {
    try {
      await attempt(parts, stop, machine)
      // Stopped before a replay was through: not clean, whatever the last attempt says (G3).
      if (lastFault && monitor.owes) return fail(parts, lastFault)
      monitor.enter('stopped')
      return undefined
    } catch (error) {
      const fault = asFault(error)
      lastFault = fault
      const position = monitor.durablePosition
      if (stop.aborted && endsCleanly(error, monitor)) {
        monitor.enter('stopped')
        return undefined
      }
      if (stop.aborted || !(fault instanceof Retryable)) return fail(parts, fault)
      const progressed = position !== undefined && lastPosition !== undefined && position.compare(lastPosition) > 0
      failures = progressed ? 1 : failures + 1
      lastPosition = position
      const waitMs = backOffMs(parts.backOff, failures, clock)
      monitor.enter('retrying', fault)
      log.warn(
        { code: fault.code, error: fault, attempt: failures, waitMs: Math.round(waitMs), position: String(position) },
        `${fault.message}; trying again from the last checkpoint`,
      )
      await clock.sleep(waitMs, stop).catch(() => undefined)
    }
  }
}

/** An error while stopping is none where it is the stop itself, or a retry's and nothing of ours was under way. */
function endsCleanly(error: unknown, monitor: Monitor): boolean {
  if (monitor.owes) return false
  return error instanceof Retryable || (error instanceof Error && error.name === 'AbortError')
}

function fail({ monitor, log }: PipelineParts, fault: Fault): Fault {
  monitor.enter('failed', fault)
  const fields = { code: fault.code, remedy: fault.remedy, position: String(monitor.durablePosition), error: fault }
  log.error(fields, `the pipeline stopped: ${fault.message}`)
  return fault
}

/** A time in the future would only wait for itself, without a word: it means now. */
async function startOf({ startAt, source }: PipelineParts, signal: AbortSignal): Promise<Position> {
  const now = await source.now(signal)
  return startAt && startAt.compare(now) < 0 ? startAt : now
}

/** One run from the durable position: opens what it needs, streams, and closes it again. */
async function attempt(parts: PipelineParts, stop: AbortSignal, machine: Machinery): Promise<void> {
  if (stop.aborted) return
  const { monitor, source, clock, meter } = parts
  monitor.enter('starting')
  const ledger = await Ledger.open(
    {
      store: parts.store,
      deployment: parts.deployment,
      pipeline: parts.name,
      cluster: parts.cluster,
      filterHash: parts.filterHash,
      start: signal => startOf(parts, signal),
      saveIntervalMs: parts.saveIntervalMs,
      clock,
    },
    stop,
  )
  monitor.durable(ledger.position, ledger.savedAtMs)
  await using sink = await parts.openSink(stop)
  const prepare = createPrepare({
    pipeline: parts.name,
    encoder: parts.createEncoder(sink, ledger.generation),
    sink,
    ledger,
    topic: parts.topic,
    spec: parts.spec,
    meter,
    watch: monitor,
  })
  const delivery = machine.createDelivery(sink, position => ledger.save(position))
  parts.log.info({ position: String(ledger.position) }, 'reading changes')
  const { limits } = parts
  await machine.stream({ source, from: ledger.position, prepare, delivery, watch: monitor, clock, limits }, stop)
}
