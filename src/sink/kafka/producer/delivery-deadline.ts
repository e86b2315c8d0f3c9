import type { Clock } from '../../../clock.ts'
import { Alarm } from './alarm.ts'
import type { Lane } from './lane.ts'

export interface DeliveryDeadlineParts {
  readonly lanes: () => Iterable<Lane>
  /** How long a partition with something to send may go without any progress, milliseconds. */
  readonly limitMs: number
  readonly clock: Clock
  /** That partition has. */
  readonly onLate: (lane: Lane) => void
}

/** Watches that no partition of a producer goes without progress for too long. */
export class DeliveryDeadline {
  readonly #parts: DeliveryDeadlineParts
  readonly #alarm: Alarm

  constructor(parts: DeliveryDeadlineParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.clock, () => this.#check())
  }

  /** Something is to be sent. */
  begin(nowMs: number): void {
    this.#alarm.set(nowMs + this.#parts.limitMs)
  }

  stop(): void {
    this.#alarm.stop()
  }

  #check(): void {
    const { lanes, limitMs, clock, onLate } = this.#parts
    const oldest = mostStalled(lanes())
    if (oldest === undefined) return
    const lateMs = oldest.sinceMs + limitMs
    if (clock.nowMs() < lateMs) this.#alarm.set(lateMs)
    else onLate(oldest.lane)
  }
}

/** The lane whose first batch has waited longest without any progress, and since when; undefined where none waits. */
function mostStalled(lanes: Iterable<Lane>): { readonly lane: Lane; readonly sinceMs: number } | undefined {
  let oldest: Lane | undefined
  let oldestMs = Number.POSITIVE_INFINITY
  for (const lane of lanes) {
    const sinceMs = lane.queue.stalledSinceMs ?? Number.POSITIVE_INFINITY
    if (sinceMs >= oldestMs) continue
    oldest = lane
    oldestMs = sinceMs
  }
  return oldest && { lane: oldest, sinceMs: oldestMs }
}
