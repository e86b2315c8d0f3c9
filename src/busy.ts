import type { Clock } from './clock.ts'

/** A stage that can be what limits a pipeline. */
export type Stage = 'source' | 'encode' | 'sink'

/** The share of the last ten seconds, 0 to 1, in which the pipeline worked or waited on each stage. */
export type BusyRatios = Readonly<Record<Stage, number>>

export interface Bottleneck {
  readonly stage: Stage
  /** Its share of the last ten seconds, 0 to 1. */
  readonly ratio: number
}

/** A pipeline does one thing at a time. `idle`: it waits for changes that nobody has made yet. */
export type Doing = Stage | 'idle'

const columns: Readonly<Record<Doing | 'throttled', number>> = { source: 0, encode: 1, sink: 2, idle: 3, throttled: 4 }
const width = 5
const slotMs = 1_000
const slots = 10

/**
 * Where a pipeline's time went, over the last nine to ten seconds. At each moment it does exactly one thing, so the
 * shares and that of `idle` add up to 1, and the stage with the largest share is what limits its throughput: the
 * others wait for it.
 *
 * Every span is added to the slots of the seconds that it lies in; a slot that begins anew forgets what was ten
 * seconds ago. The clock may be set: back costs nothing but the span it falls into, forward counts as at most the
 * whole window.
 */
export class BusyMeter {
  readonly #clock: Clock
  /** Milliseconds, by slot and then by what was done. */
  readonly #spentMs = new Float64Array(slots * width)
  #column = columns.idle
  #throttledUntilMs = 0
  #sinceMs: number
  /** Number of the newest slot since the Unix epoch; its place in the ring is this modulo `slots`. */
  #slot: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.nowMs()
    this.#slot = Math.floor(this.#sinceMs / slotMs)
  }

  /** From now on the pipeline does this. Cheap, but for once or twice a batch, not for every record. */
  enter(doing: Doing): void {
    this.#account()
    this.#column = columns[doing]
  }

  /** The sink was told to wait for `ms` from now on. Of several such waits at once the longest counts. */
  throttle(ms: number): void {
    this.#account()
    this.#throttledUntilMs = Math.max(this.#throttledUntilMs, this.#sinceMs + ms)
  }

  ratios(): BusyRatios {
    return { source: this.#share('source'), encode: this.#share('encode'), sink: this.#share('sink') }
  }

  /** The share of the last ten seconds, 0 to 1, in which the sink had been told to wait, whatever the pipeline did. */
  get throttledRatio(): number {
    return this.#share('throttled')
  }

  #share(what: Stage | 'throttled'): number {
    this.#account()
    let ms = 0
    let totalMs = 0
    for (let start = 0; start < this.#spentMs.length; start += width) {
      ms += this.#spentMs[start + columns[what]]!
      for (let column = 0; column <= columns.idle; column += 1) totalMs += this.#spentMs[start + column]!
    }
    return totalMs > 0 ? ms / totalMs : 0
  }

  /** Adds the time since the last call to what was done since then. */
  #account(): void {
    const nowMs = this.#clock.nowMs()
    const newest = Math.floor(nowMs / slotMs)
    let fromMs = Math.max(this.#sinceMs, (newest - slots) * slotMs)
    this.#sinceMs = nowMs
    if (nowMs < fromMs) {
      // The clock was set back: what was to end at a later time is not known any more.
      this.#begin(newest)
      this.#throttledUntilMs = 0
    }
    while (fromMs < nowMs) {
      const slot = Math.floor(fromMs / slotMs)
      this.#begin(slot)
      const untilMs = Math.min(nowMs, (slot + 1) * slotMs)
      const start = (slot % slots) * width
      this.#spentMs[start + this.#column]! += untilMs - fromMs
      const throttledMs = Math.min(untilMs, this.#throttledUntilMs) - fromMs
      if (throttledMs > 0) this.#spentMs[start + columns.throttled]! += throttledMs
      fromMs = untilMs
    }
  }

  /** Makes room for the seconds up to `slot`. */
  #begin(slot: number): void {
    if (slot === this.#slot) return
    this.#slot = slot
    const start = (slot % slots) * width
    this.#spentMs.fill(0, start, start + width)
  }
}

/** What limits the throughput; null where the pipeline waits for changes at least half of the time. */
export function bottleneck(ratios: BusyRatios): Bottleneck | null {
  const { source, encode, sink } = ratios
  if (source + encode + sink <= 0.5) return null
  if (sink >= encode && sink >= source) return { stage: 'sink', ratio: sink }
  return encode >= source ? { stage: 'encode', ratio: encode } : { stage: 'source', ratio: source }
}
