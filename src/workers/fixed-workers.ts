import { untilAborted } from '../deadline.ts'
import type { Lease } from '../lease.ts'
import type { Meter } from '../meter.ts'
import type { WorkerShare, WorkersStatus } from '../status.ts'
import type { SlotHolder, Workers } from './workers.ts'

/** Slots that nobody else can have: that the configuration is right about it is all that vouches for it. */
const unquestioned: Lease = {
  async confirm(signal) {
    signal.throwIfAborted()
  },
}

export interface FixedShare {
  readonly coordination: 'none' | 'static'
  readonly slots: number
  readonly owned: readonly number[]
  /** null: alone. */
  readonly name: string | null
  /** Everybody by the configuration, this one included: whether they run, nobody here knows. Empty: alone. */
  readonly workers: readonly WorkerShare[]
}

/** A worker whose slots never change: all of them, or those of its ordinal. */
export class FixedWorkers implements Workers {
  readonly #share: FixedShare
  readonly #meter: Meter
  #state: WorkersStatus['state'] = 'joining'

  constructor(share: FixedShare, meter: Meter) {
    this.#share = share
    this.#meter = meter
  }

  get status(): WorkersStatus {
    return { ...this.#share, state: this.#state }
  }

  async run(holder: SlotHolder, stop: AbortSignal): Promise<void> {
    const { owned } = this.#share
    // More workers than slots: the last ones have nothing to do.
    this.#state = owned.length > 0 ? 'working' : 'standby'
    this.#meter.gauge('slots_owned', {}, owned.length)
    if (owned.length > 0 && !stop.aborted) {
      holder.take(owned, unquestioned)
      await aborted(stop)
      this.#state = 'releasing'
      await holder.release(owned, 'stopping')
    } else await aborted(stop)
    this.#state = 'stopped'
    this.#meter.gauge('slots_owned', {}, 0)
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await untilAborted(new Promise<never>(() => {}), signal).catch(() => {})
}
