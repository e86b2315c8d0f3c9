export interface ReachSettings {
  /** How long is counted before anything is decided. */
  readonly windowMs: number
  /** Foreign events a second below which it does not matter. */
  readonly foreignPerSecond: number
  /** Share of wanted events below which the stream is narrowed. */
  readonly share: number
  /** How long a narrowed stream stays so before the share is measured again; doubled each time it is still small. */
  readonly narrowMs: number
  readonly maxNarrowMs: number
}

/**
 * Measured by bench/source.ts, in microseconds of CPU an event, wanted or not: a wide stream costs mongod 8 and us 2;
 * a narrow one costs mongod 2.6 plus 7 times the share and us 2 times the share, so it is cheaper below a share of
 * about 0.75. The distance to that is the hysteresis; opening a stream again costs a moment's pause.
 */
export const defaultReach: ReachSettings = {
  windowMs: 10_000,
  foreignPerSecond: 1_000,
  share: 0.5,
  narrowMs: 600_000,
  maxNarrowMs: 3_600_000,
}

/**
 * Whether the shared stream should bring everything of its scope (wide), or only the pipelines' collections, chosen by
 * MongoDB (narrow; decision 2). The share of wanted events is counted while the stream is wide; narrow, it cannot be
 * seen, so now and then the stream is wide again for a window.
 */
export class Reach {
  readonly #settings: ReachSettings
  #narrow = false
  /** When the present window, or the narrow time, began; milliseconds since the Unix epoch. */
  #sinceMs: number
  #narrowMs: number
  #events = 0
  #wanted = 0

  constructor(settings: ReachSettings, nowMs: number) {
    this.#settings = settings
    this.#sinceMs = nowMs
    this.#narrowMs = settings.narrowMs
  }

  get narrow(): boolean {
    return this.#narrow
  }

  /** Told of every batch, empty or not. True: the stream is to be opened anew, as `narrow` now says. */
  saw(events: number, wanted: number, nowMs: number): boolean {
    const { windowMs, narrowMs, maxNarrowMs } = this.#settings
    const elapsedMs = nowMs - this.#sinceMs
    this.#events += events
    this.#wanted += wanted
    if (elapsedMs < (this.#narrow ? this.#narrowMs : windowMs)) return false
    const before = this.#narrow
    this.#narrow = !before && this.#pays(elapsedMs)
    if (before) this.#narrowMs = Math.min(2 * this.#narrowMs, maxNarrowMs)
    else if (!this.#narrow) this.#narrowMs = narrowMs
    this.#sinceMs = nowMs
    this.#events = 0
    this.#wanted = 0
    return this.#narrow !== before
  }

  #pays(elapsedMs: number): boolean {
    const { foreignPerSecond, share } = this.#settings
    const foreign = this.#events - this.#wanted
    return foreign >= (foreignPerSecond * elapsedMs) / 1_000 && this.#wanted < share * this.#events
  }
}
