import type { Clock } from './clock.ts'

/** A stage that can be what limits a pipeline. */
export type Stage = 'source' | 'encode' | 'sink'

/**
 * Shares of the last ten seconds, 0 to 1. `source` and `sink`: the pipeline waited for it, and the thread had nothing
 * to do. `encode`: there was something to do for the pipeline, and the thread computed: this pipeline's records, or
 * whatever else kept it waiting. What is missing to 1 it waited for changes that nobody had made yet.
 */
export type BusyRatios = Readonly<Record<Stage, number>>

export interface Bottleneck {
  readonly stage: Stage
  /** Its share of the last ten seconds, 0 to 1. */
  readonly ratio: number
}

/** A pipeline does one thing at a time. `idle`: it waits for changes that nobody has made yet. */
export type Doing = Stage | 'idle'

/** What a slot holds, milliseconds: what was done, then what beside that was the case. */
const columns = { source: 0, encode: 1, sink: 2, idle: 3, sourceWait: 4, sinkWait: 5, throttled: 6 } as const
const width = 7
const slotMs = 1_000
const slots = 10

/**
 * Where a pipeline's time went, over the last nine to ten seconds. At each moment it does exactly one thing, so the
 * shares and that of `idle` add up to 1, and the stage with the largest share is what limits its throughput: the
 * others wait for it. A wait in which the thread computes is a wait for the processor, whoever it is booked on: the
 * answer may be there long since.
 *
 * Every span is added to the slots of the seconds that it lies in; a slot that begins anew forgets what was ten
 * seconds ago. The clock may be set: back costs nothing but the span it falls into, forward counts as at most the
 * whole window. It ticks in whole milliseconds, which over many spans evens out; that is why the thread's idle time,
 * which is finer, is compared with the sums and not with each span.
 */
export class BusyMeter {
  readonly #clock: Clock
  /** By slot and then by column. */
  readonly #spentMs = new Float64Array(slots * width)
  #doing: Doing = 'idle'
  #sinceMs: number
  #idleSinceMs: number
  #throttledUntilMs = 0
  /** Number of the newest slot since the Unix epoch; its place in the ring is this modulo `slots`. */
  #slot: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.nowMs()
    this.#idleSinceMs = clock.idleMs?.() ?? 0
    this.#slot = Math.floor(this.#sinceMs / slotMs)
  }

  /** From now on the pipeline does this. Cheap, but for a few times a batch, not for every record. */
  enter(doing: Doing): void {
    this.#account()
    this.#doing = doing
  }

  /** The sink was told to wait for `ms` from now on. Of several such waits at once the longest counts. */
  throttle(ms: number): void {
    this.#account()
    this.#throttledUntilMs = Math.max(this.#throttledUntilMs, this.#sinceMs + ms)
  }

  ratios(): BusyRatios {
    this.#account()
    const [source, encode, sink] = [this.#sum('source'), this.#sum('encode'), this.#sum('sink')]
    const totalMs = source + encode + sink + this.#sum('idle')
    if (totalMs === 0) return { source: 0, encode: 0, sink: 0 }
    const sourceWait = Math.min(source, this.#sum('sourceWait'))
    const sinkWait = Math.min(sink, this.#sum('sinkWait'))
    const computed = encode + (source - sourceWait) + (sink - sinkWait)
    return { source: sourceWait / totalMs, encode: computed / totalMs, sink: sinkWait / totalMs }
  }

  /** The share of the last ten seconds, 0 to 1, in which the sink had been told to wait, whatever the pipeline did. */
  get throttledRatio(): number {
    this.#account()
    const totalMs = this.#sum('source') + this.#sum('encode') + this.#sum('sink') + this.#sum('idle')
    return totalMs > 0 ? this.#sum('throttled') / totalMs : 0
  }

  #sum(column: keyof typeof columns): number {
    let ms = 0
    for (let place: number = columns[column]; place < this.#spentMs.length; place += width) ms += this.#spentMs[place]!
    return ms
  }

  /** Adds the time since the last call to what was done since then. */
  #account(): void {
    const nowMs = this.#clock.nowMs()
    const newest = Math.floor(nowMs / slotMs)
    let fromMs = Math.max(this.#sinceMs, (newest - slots) * slotMs)
    const waitedMs = this.#threadIdleMs(nowMs - fromMs)
    this.#sinceMs = nowMs
    if (nowMs < fromMs) {
      // The clock was set back: what was to end at a later time is not known any more.
      this.#begin(newest)
      this.#throttledUntilMs = 0
    }
    if (nowMs <= fromMs) this.#add(0, waitedMs)
    const waitedShare = waitedMs / (nowMs - fromMs)
    while (fromMs < nowMs) {
      const slot = Math.floor(fromMs / slotMs)
      this.#begin(slot)
      const untilMs = Math.min(nowMs, (slot + 1) * slotMs)
      const throttledMs = Math.min(untilMs, this.#throttledUntilMs) - fromMs
      this.#add(untilMs - fromMs, waitedShare * (untilMs - fromMs), throttledMs)
      fromMs = untilMs
    }
  }

  /** How long the thread had nothing to do since the last call; where the clock does not know, `spanMs`. */
  #threadIdleMs(spanMs: number): number {
    const idleMs = this.#clock.idleMs?.()
    if (idleMs === undefined) return Math.max(0, spanMs)
    const sinceMs = this.#idleSinceMs
    this.#idleSinceMs = idleMs
    return idleMs - sinceMs
  }

  /** To the newest slot. */
  #add(spanMs: number, waitedMs: number, throttledMs = 0): void {
    const start = (this.#slot % slots) * width
    this.#spentMs[start + columns[this.#doing]]! += spanMs
    if (this.#doing === 'source') this.#spentMs[start + columns.sourceWait]! += waitedMs
    if (this.#doing === 'sink') this.#spentMs[start + columns.sinkWait]! += waitedMs
    if (throttledMs > 0) this.#spentMs[start + columns.throttled]! += throttledMs
  }

  /** Makes room for the second `slot`. */
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

/** The largest of `ratios`, all of its stages taken together. */
export function busiest(ratios: readonly BusyRatios[]): BusyRatios {
  const total = ({ source, encode, sink }: BusyRatios) => source + encode + sink
  let most: BusyRatios = { source: 0, encode: 0, sink: 0 }
  for (const each of ratios) if (total(each) > total(most)) most = each
  return most
}
