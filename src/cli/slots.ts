import type { Clock } from '../clock.ts'
import { Retryable } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type BackOff, backOffMs } from '../retry.ts'
import type { SlotHolder, Workers } from '../workers/workers.ts'

export interface SlotsParts {
  /** How this worker comes to its slots; used up by one `run`. */
  readonly open: () => Workers
  readonly backOff: BackOff
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Looks for slots and has `holder` work on them until `stop`; anew after a pause that grows, where the group was lost for
 * a while. Throws Configuration or Fenced, and what happens while stopping; every slot is released then.
 */
export async function workOnSlots(parts: SlotsParts, holder: SlotHolder, stop: AbortSignal): Promise<void> {
  const { open, backOff, clock, log } = parts
  for (let failures = 0; ; ) {
    try {
      return await open().run(holder, stop)
    } catch (error) {
      if (!(error instanceof Retryable) || stop.aborted) throw error
      failures += 1
      const waitMs = backOffMs(backOff, failures, clock)
      log.warn({ code: error.code, error, attempt: failures, waitMs: Math.round(waitMs) }, 'no slots; looking again')
      await clock.sleep(waitMs, stop).catch(() => undefined)
    }
  }
}
