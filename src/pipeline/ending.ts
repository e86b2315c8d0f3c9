import type { Position } from '../position.ts'

/** What an attempt that failed has sent, and the next one sends again. */
export interface Replay {
  /** The furthest position of it. */
  readonly to: Position
  /** After a stop it goes on until it is through, but not longer than this. */
  readonly until: AbortSignal
  /**
   * Whether a stop that comes before it reads leaves it running too. So it is where an event was refused: the target is
   * there, and the replay gets past that event. Where the target was gone, nobody waits for it to come back.
   */
  readonly isFirm: boolean
}

/**
 * When reading ends: at `stop`, and not in the middle of a replay. What is not sent again by this run would be sent again
 * by the next one, behind other records of it: duplicates after a clean stop (G3). Dispose it when reading has ended.
 */
export class Ending implements Disposable {
  readonly #stop: AbortSignal
  /** What is still to be sent again; undefined once that is done. */
  #replay: Replay | undefined
  readonly #ended = new AbortController()
  readonly #disposed = new AbortController()

  constructor(stop: AbortSignal, replay: Replay | undefined) {
    this.#stop = stop
    this.#replay = replay
    this.#listen(stop)
    if (replay !== undefined) this.#listen(replay.until)
    this.#look()
  }

  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Everything up to `position` was given to the sink. */
  reached(position: Position): void {
    if (this.#replay === undefined || position.compare(this.#replay.to) < 0) return
    this.#replay = undefined
    this.#look()
  }

  [Symbol.dispose](): void {
    this.#disposed.abort()
  }

  #listen(signal: AbortSignal): void {
    signal.addEventListener('abort', () => this.#look(), { once: true, signal: this.#disposed.signal })
  }

  #look(): void {
    if (this.#stop.aborted && (this.#replay === undefined || this.#replay.until.aborted)) this.#ended.abort()
  }
}
