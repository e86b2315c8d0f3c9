import type { Clock } from '../../src/clock.ts'
import { call, type Place } from './schedule.ts'

/** Limits that must not be met while anything else can happen. */
export const longSleepMs = 1_000_000
/** Limits that are not met. */
export const neverMs = 1_000_000_000

/** The machines' time: how much has passed, and what their clocks were set by. */
export class Time {
  steadyMs = 1_700_000_000_000
  setByMs = 0

  get nowMs(): number {
    return Math.floor(this.steadyMs) + this.setByMs
  }

  /** It is not earlier than `ms`, by the clock that nobody sets. */
  reach(ms: number): void {
    this.steadyMs = Math.max(this.steadyMs, ms)
  }
}

/** Sleeping is a call like any other: how long it takes is the schedule's. The time of day may be set meanwhile. */
export function simulatedClock({ time }: { readonly time: Time }, place: Place): Clock {
  const { schedule, process } = place
  return {
    nowMs: () => time.nowMs,
    monotonicMs: () => time.steadyMs,
    random: schedule.random,
    async sleep(ms, signal) {
      const dueMs = time.steadyMs + ms
      if (ms >= neverMs) await untilAborted(signal)
      else if (ms >= longSleepMs) await schedule.last('clock.limit', process, signal)
      else await call(place, 'clock.sleep', () => undefined, signal)
      time.reach(dueMs)
    },
  }
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }))
}
