import type { Clock } from '../clock.ts'
import type { Seat } from './seat.ts'

/** A wait of this length is work: a batch of 5,000 events is encoded in a tenth of a second. More is a slow target. */
const graceMs = 500
/** The share of its running time by which a seat is forgiven for keeping the others waiting. */
const forgiven = 0.1

/**
 * How long a stream waits for those that take its batches. A target that is a little slow slows all a little; one that
 * is slow for long, or takes nothing, must not hold the others up: its seat is taken away, and it reads on by itself.
 */
export class Pace {
  readonly #clock: Clock
  readonly #limitMs: number
  #lastMs: number

  /** `limitMs`: the most that one seat may keep the others waiting. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#lastMs = clock.nowMs()
  }

  /** Resolves when every seat has room or was given to `evict`, which must take it out of `seats`; at once on abort. */
  async room(seats: ReadonlySet<Seat>, evict: (seat: Seat) => void, signal: AbortSignal): Promise<void> {
    this.#forgive(seats)
    const startMs = this.#clock.nowMs()
    let seenMs = startMs + graceMs
    for (let full = fullOf(seats); full.length > 0 && !signal.aborted; full = fullOf(seats)) {
      const waitedMs = this.#clock.nowMs() - startMs
      const held = Math.max(...full.map(({ heldMs }) => heldMs), 0)
      await this.#change(full, Math.max(1, Math.min(this.#limitMs - waitedMs, this.#limitMs - held + graceMs)), signal)
      if (signal.aborted) return
      const nowMs = this.#clock.nowMs()
      const sinceMs = Math.max(0, nowMs - seenMs)
      seenMs = Math.max(seenMs, nowMs)
      const othersWait = seats.values().some(({ hungry }) => hungry)
      for (const seat of full) {
        if (othersWait) seat.heldMs += sinceMs
        const late = nowMs - startMs >= this.#limitMs || (othersWait && seat.heldMs >= this.#limitMs)
        if (late && seat.full) evict(seat)
      }
    }
  }

  #forgive(seats: ReadonlySet<Seat>): void {
    const nowMs = this.#clock.nowMs()
    const shareMs = Math.max(0, nowMs - this.#lastMs) * forgiven
    this.#lastMs = nowMs
    for (const seat of seats) seat.heldMs = Math.max(0, seat.heldMs - shareMs)
  }

  /** Waits for any of the seats to change, at most `limitMs`. */
  async #change(seats: readonly Seat[], limitMs: number, signal: AbortSignal): Promise<void> {
    const timer = new AbortController()
    const late = this.#clock.sleep(limitMs, AbortSignal.any([timer.signal, signal])).catch(() => undefined)
    await Promise.race([late, ...seats.map(({ changed }) => changed)])
    timer.abort()
  }
}

function fullOf(seats: ReadonlySet<Seat>): readonly Seat[] {
  return seats
    .values()
    .filter(({ full }) => full)
    .toArray()
}
