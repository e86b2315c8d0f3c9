import { asFault, type Fault, Retryable } from '../errors.ts'
import type { Position } from '../position.ts'
import { backOffMs } from '../retry.ts'
import { attempt, type Machinery, machinery } from './attempt.ts'
import type { Monitor } from './monitor.ts'
import { Overdue } from './overdue.ts'
import type { PipelineParts } from './parts.ts'
import { mostConsequential } from './stream.ts'
import { Verdicts } from './verdicts.ts'

/**
 * Runs a pipeline on its slot until `stop` aborts, and again after each error that a retry can mend, always from its
 * durable position. Resolves to undefined after a clean stop, else to the fault that ended it: its position is kept,
 * and the next start continues there. The number of retries has no limit, their rate has (G7); not ready meanwhile
 * (G8). After a PoisonEvent the next attempt puts a dead letter in the event's place, or leaves it out; where the pipeline
 * is to fail at such events, or nobody knows which it is, it ends: a replay would meet the same event for ever. `Fenced`
 * means that the slot is somebody else's; whoever gave the lease must take it back.
 *
 * A stop in the middle of a replay waits until what was sent before was sent again, at most as long as it drains. One
 * that cannot be finished, or that had not begun because the target is gone, is no clean stop: the next start repeats
 * (G3), or where there are transactions, one is left open until Kafka or that start ends it.
 */
export async function runPipeline(
  parts: PipelineParts,
  stop: AbortSignal,
  machine: Machinery = machinery,
): Promise<Fault | undefined> {
  const { monitor, clock, log, limits } = parts
  using overdue = new Overdue(stop, limits.drainMs, clock)
  // A slot that is lost is somebody else's: nothing more is sent there.
  const until = parts.lease.lost ? AbortSignal.any([overdue.signal, parts.lease.lost]) : overdue.signal
  const verdicts = new Verdicts(parts.onError)
  const failures = new Failures()
  let last: Failed | undefined
  for (;;) {
    try {
      const firstBytes = firstWindowBytes(limits.inFlightBytes, failures.count)
      const { owed } = monitor
      const replay = owed && last && { to: owed, until, isFirm: last.isRefusal }
      await attempt({ ...parts, verdicts, replay, limits: { ...limits, firstBytes } }, stop, machine)
      if (last && monitor.owes) return fail(parts, unfinished(last, monitor))
      monitor.enter('stopped')
      return undefined
    } catch (thrown) {
      const error = unwrapped(thrown)
      // A retry that the stop interrupts is no fault of its own: why there is something to replay is the one before.
      const isInterrupted = stop.aborted && isAbort(error) && last !== undefined
      const met = isInterrupted ? unfinished(last!, monitor) : asFault(error)
      const fault = isInterrupted || until.aborted ? met : verdicts.judge(met)
      if (fault === undefined) {
        last = { fault: met, isRefusal: true }
        monitor.enter('retrying', met)
        const message = 'an event cannot pass; starting again from the last checkpoint to get past it'
        log.warn({ code: met.code, error: met }, `${met.message}: ${message}`)
        continue
      }
      last = { fault, isRefusal: false }
      if (stop.aborted && endsCleanly(error, monitor)) {
        monitor.enter('stopped')
        return undefined
      }
      if (stop.aborted || !(fault instanceof Retryable)) return fail(parts, fault)
      await pause(parts, fault, failures, stop)
    }
  }
}

/** What ended the attempt before. */
interface Failed {
  readonly fault: Fault
  /** An event was refused, and the next attempt gets past it. */
  readonly isRefusal: boolean
}

/** Failures in a row: progress begins a new one. */
class Failures {
  count = 0
  #position: Position | undefined

  add(position: Position | undefined): void {
    const progressed = position !== undefined && this.#position !== undefined && position.compare(this.#position) > 0
    this.count = progressed ? 1 : this.count + 1
    this.#position = position
  }
}

/** Before the next attempt; ends with `stop`. */
async function pause(parts: PipelineParts, fault: Fault, failures: Failures, stop: AbortSignal): Promise<void> {
  const { monitor, clock, log, backOff } = parts
  const position = monitor.durablePosition
  failures.add(position)
  const waitMs = backOffMs(backOff, failures.count, clock)
  monitor.enter('retrying', fault)
  log.warn(
    { code: fault.code, error: fault, attempt: failures.count, waitMs: Math.round(waitMs), position: String(position) },
    `${fault.message}; trying again from the last checkpoint`,
  )
  await clock.sleep(waitMs, stop).catch(() => undefined)
}

/** Why a stop was not clean: what ended the attempt whose records were not all sent again. */
function unfinished({ fault, isRefusal }: Failed, monitor: Monitor): Fault {
  if (!isRefusal) return fault
  const message = `stopped before all was sent again that follows a refused event, from ${monitor.durablePosition} on; it is replayed at the next start`
  return new Retryable('DRAIN_TIMEOUT', message, { cause: fault })
}

const leastWindowBytes = 64 << 10

/**
 * The window that an attempt begins with, after so many failures in a row. Where the way to the target is slow, a whole
 * window takes longer than a transaction may last, and every attempt would fail at the same place for ever: a small one
 * gets through, and the next failure finds the position moved on.
 */
export function firstWindowBytes(limitBytes: number, failures: number): number {
  return Math.min(limitBytes, Math.max(leastWindowBytes, limitBytes / 16 ** failures))
}

/** What failed while it was closed after a failure must not hide that failure: a retry may mend both. */
function unwrapped(error: unknown): unknown {
  if (!(error instanceof SuppressedError)) return error
  const { suppressed, error: last } = error
  if (isAbort(suppressed)) return last
  return isAbort(last) ? suppressed : mostConsequential([suppressed, last])
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

/** An error while stopping is none where it is the stop itself, or a retry's and nothing of ours was under way. */
function endsCleanly(error: unknown, monitor: Monitor): boolean {
  if (monitor.owes) return false
  return error instanceof Retryable || isAbort(error)
}

function fail({ monitor, log }: PipelineParts, fault: Fault): Fault {
  monitor.enter('failed', fault)
  const fields = { code: fault.code, remedy: fault.remedy, position: String(monitor.durablePosition), error: fault }
  log.error(fields, `the pipeline stopped: ${fault.message}`)
  return fault
}
