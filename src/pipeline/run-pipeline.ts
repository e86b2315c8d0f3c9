import { asFault, type Fault, Retryable } from '../errors.ts'
import type { Position } from '../position.ts'
import { backOffMs } from '../retry.ts'
import { attempt, type Machinery, machinery } from './attempt.ts'
import type { Monitor } from './monitor.ts'
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
 */
export async function runPipeline(
  parts: PipelineParts,
  stop: AbortSignal,
  machine: Machinery = machinery,
): Promise<Fault | undefined> {
  const { monitor, clock, log } = parts
  const verdicts = new Verdicts(parts.onError)
  let failures = 0
  let lastFault: Fault | undefined
  let lastPosition: Position | undefined
  for (;;) {
    try {
      const firstBytes = firstWindowBytes(parts.limits.inFlightBytes, failures)
      await attempt({ ...parts, verdicts, limits: { ...parts.limits, firstBytes } }, stop, machine)
      // Stopped before a replay was through: not clean, whatever the last attempt says (G3).
      if (lastFault && monitor.owes) return fail(parts, lastFault)
      monitor.enter('stopped')
      return undefined
    } catch (thrown) {
      const error = unwrapped(thrown)
      // A retry that the stop interrupts is no fault of its own: why there is something to replay is the one before.
      const met = stop.aborted && isAbort(error) && lastFault ? lastFault : asFault(error)
      const fault = stop.aborted ? met : verdicts.judge(met)
      lastFault = fault ?? met
      if (fault === undefined) {
        monitor.enter('retrying', met)
        const message = 'an event cannot pass; starting again from the last checkpoint to get past it'
        log.warn({ code: met.code, error: met }, `${met.message}: ${message}`)
        continue
      }
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
