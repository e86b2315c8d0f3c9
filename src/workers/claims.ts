import { untilAborted } from '../deadline.ts'
import { type Fault, Fenced } from '../errors.ts'
import type { Lease } from '../lease.ts'
import type { Occasion, SlotHolder } from './workers.ts'

type Confirm = (signal: AbortSignal) => Promise<void>

/** One slot's lease, until it is given back or lost. */
class SlotLease implements Lease {
  readonly #confirm: Confirm
  readonly #over = new AbortController()

  constructor(confirm: Confirm) {
    this.#confirm = confirm
  }

  get lost(): AbortSignal {
    return this.#over.signal
  }

  async confirm(signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([this.#over.signal, signal])
    either.throwIfAborted()
    await untilAborted(this.#confirm(either), either)
    either.throwIfAborted() // The slot may have been given back since the heartbeat.
  }

  end(fault: Fault): void {
    this.#over.abort(fault)
  }
}

interface Held {
  readonly lease: SlotLease
  isReleasing: boolean
}

/**
 * The slots that this worker claims from its group: those it works on, and those it gives back, which it claims until
 * nothing of them is in flight.
 */
export class Claims {
  readonly #holder: SlotHolder
  readonly #onReleased: () => void
  readonly #held = new Map<number, Held>()

  /** `onReleased`: one or more slots are claimed no longer. */
  constructor(holder: SlotHolder, onReleased: () => void) {
    this.#holder = holder
    this.#onReleased = onReleased
  }

  /** Claimed at all. */
  get size(): number {
    return this.#held.size
  }

  get owned(): readonly number[] {
    return this.#slots(false)
  }

  get releasing(): readonly number[] {
    return this.#slots(true)
  }

  /** Starts the work on those of `slots` that are not claimed yet. `confirm` vouches for their leases. */
  take(slots: readonly number[], confirm: Confirm): void {
    for (const slot of slots) {
      if (this.#held.has(slot)) continue
      const lease = new SlotLease(confirm)
      this.#held.set(slot, { lease, isReleasing: false })
      this.#holder.take([slot], lease)
    }
  }

  /** Begins to give back all but `slots`. Their leases hold until that is done. */
  keepOnly(slots: readonly number[], occasion: Occasion): void {
    const kept = new Set(slots)
    const given = this.owned.filter(slot => !kept.has(slot))
    void this.#release(given, occasion)
  }

  /** All leases end at once, with `fault`. Resolves when nothing is claimed any more. */
  async lose(fault: Fault): Promise<void> {
    for (const { lease } of this.#held.values()) lease.end(fault)
    await this.#release(this.owned, 'handing-over')
    // What was being given back before has its own end.
    while (this.#held.size > 0) await this.#nextRelease.promise
  }

  #nextRelease = Promise.withResolvers<void>()

  async #release(slots: readonly number[], occasion: Occasion): Promise<void> {
    if (slots.length === 0) return
    for (const slot of slots) this.#held.get(slot)!.isReleasing = true
    await this.#holder.release(slots, occasion)
    for (const slot of slots) {
      this.#held.get(slot)?.lease.end(new Fenced('WORKERS_LOST', `slot ${slot} was given back`))
      this.#held.delete(slot)
    }
    const done = this.#nextRelease
    this.#nextRelease = Promise.withResolvers()
    done.resolve()
    this.#onReleased()
  }

  #slots(isReleasing: boolean): number[] {
    const held = [...this.#held].filter(([, state]) => state.isReleasing === isReleasing)
    return held.map(([slot]) => slot).sort((a, b) => a - b)
  }
}
