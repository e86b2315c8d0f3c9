import type { Clock } from '../clock.ts'
import { keepListening } from '../deadline.ts'
import { asFault, Configuration, Fault, Fenced, PoisonEvent, PositionLost, Retryable } from '../errors.ts'
import type { Position } from '../position.ts'
import type { Source } from '../source/source.ts'
import { Ending, type Replay } from './ending.ts'
import { aborted, Overdue } from './overdue.ts'
import type { Delivery, Prepare, PreparedBatch, Watch } from './pipeline.ts'
import { Window } from './window.ts'
import { Writes } from './writes.ts'

export interface StreamParts {
  readonly source: Pick<Source, 'read'>
  readonly from: Position
  readonly prepare: Prepare
  readonly delivery: Pick<Delivery, 'deliver'>
  /**
   * Called when the window is full, again whenever that was not enough: until something of it is durable, nothing more
   * can be sent.
   */
  readonly onFull?: () => void
  /** What an attempt that failed has sent: `stop` does not end reading before that was sent again. */
  readonly replay?: Replay | undefined
  readonly watch: Watch
  readonly clock: Clock
  readonly limits: {
    readonly inFlightBytes: number
    /** The limit to begin with; it grows with what is delivered. Absent: all of it. */
    readonly firstBytes?: number
    /** How long to wait, after `stop`, for what the sink already holds. */
    readonly drainMs: number
  }
}

/**
 * Moves batches from source to sink until `stop` aborts or a part fails. A position is saved only after its own
 * batch and every earlier one are acknowledged (G1). `stop` ends reading, not writing: what the sink already holds
 * is settled before we return (G3), within `drainMs` of it, or a hanging sink would keep us for ever.
 *
 * Throws a Fault; where reading and writing both failed, the more consequential one, the other as its cause.
 */
export async function stream(parts: StreamParts, stop: AbortSignal): Promise<void> {
  const { source, from, prepare, delivery, watch, limits } = parts
  const failed = new AbortController()
  keepListening(failed.signal)
  using overdue = new Overdue(stop, limits.drainMs, parts.clock)
  using ending = new Ending(stop, parts.replay)
  const reading = AbortSignal.any([ending.signal, failed.signal])
  const window = new Window(limits.inFlightBytes, reading, limits.firstBytes)
  const errors: unknown[] = []
  const writes = new Writes()

  const deliver = async (batch: PreparedBatch): Promise<void> => {
    try {
      await delivery.deliver(batch, failed.signal)
      window.grow(batch.bytes)
      watch.delivered(batch)
    } catch (error) {
      errors.push(error)
      failed.abort(error) // Stops reading and cancels later writes at once; what is on the wire is still awaited.
    } finally {
      window.release(batch.bytes)
      writes.ended()
    }
  }

  try {
    watch.doing('source')
    for await (const changes of source.read(from, reading)) {
      watch.doing('encode')
      const batch = await prepare(changes, reading)
      watch.doing('sink') // To wait for room, and for the sink to take the records.
      try {
        if (!(await window.acquire(batch.bytes, parts.onFull))) break // Back-pressure: the source is not asked for more.
        watch.began(batch)
        writes.began()
        void deliver(batch)
        ending.reached(batch.position)
      } finally {
        batch.release() // The sink has taken the records.
      }
      watch.doing(changes.more ? 'source' : 'idle')
    }
  } catch (error) {
    // After an abort only a Fault is news: everything else is the abort itself, in somebody's words.
    if (!reading.aborted || error instanceof Fault) errors.push(error)
  }
  watch.doing('idle')
  await drain(writes.settled, window, limits.drainMs, overdue.signal, failed)
  failed.abort() // Nobody listens any more, and a signal made of it and `stop` would live as long as `stop`.
  if (errors.length > 0) throw mostConsequential(errors)
}

/**
 * Waits for every write. Only after `stop` is there a deadline: before a replay nothing of ours may still be on the
 * wire, and the sink bounds each of its waits itself.
 */
async function drain(
  settled: Promise<void>,
  window: Window,
  drainMs: number,
  overdue: AbortSignal,
  failed: AbortController,
): Promise<void> {
  const done = new AbortController()
  const written = settled.then(() => 'done' as const)
  const late = aborted(overdue, done.signal).then(
    () => 'late' as const,
    () => written,
  )
  const first = await Promise.race([written, late])
  done.abort()
  if (first === 'done') return
  const error = new Retryable(
    'DRAIN_TIMEOUT',
    `${window.usedBytes} bytes were not acknowledged within ${drainMs} ms of stopping; they are replayed at the next start`,
  )
  failed.abort(error)
  throw error
}

/** What must be acted on first: a lost position and a lost ownership before what only a retry or a person mends. */
const byConsequence = [PositionLost, Fenced, Configuration, PoisonEvent, Retryable] as const

/** The most consequential of the errors; of equals the first. The others stay visible as its cause. */
export function mostConsequential(errors: readonly unknown[]): Error {
  const faults = errors.map(asFault)
  const rank = (fault: Error): number => byConsequence.findIndex(kind => fault instanceof kind)
  const [worst, ...others] = faults.toSorted((a, b) => rank(a) - rank(b))
  if (worst === undefined) throw new RangeError('no errors given')
  const different = others.filter(other => other !== worst)
  if (different.length > 0 && worst.cause === undefined) worst.cause = new AggregateError(different, 'failed as well')
  return worst
}
