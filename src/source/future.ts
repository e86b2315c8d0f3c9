import { type Clock, steady } from '../clock.ts'
import { untilAborted } from '../deadline.ts'
import { PositionLost, Retryable } from '../errors.ts'
import { type ClusterTime, Position } from '../position.ts'
import { backOffMs } from '../retry.ts'

/**
 * How long a primary may be behind a position: one that has just been elected is, by a part of a second, until something
 * is written, and MongoDB writes a no-op every ten seconds by itself. A restored backup stays behind.
 */
export const futurePatienceMs = 11_000

/**
 * How long a primary has been behind, in one row of failures. Use it up with one position. What counts is when MongoDB
 * was asked, by the clock of `steady`: an answer may be old when it is heard, where a process was stopped meanwhile.
 */
export class FuturePatience {
  readonly #clock: Clock
  #sinceMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = steady(clock)
  }

  /** Told of every failure, with when it was asked. Whether it says that the primary is behind, and was for too long. */
  isOver(error: unknown, askedMs: number): boolean {
    if (!isFromFuture(error)) {
      this.reset() // Whoever answers next may just have been elected.
      return false
    }
    this.#sinceMs ??= this.#clock.nowMs()
    return askedMs - this.#sinceMs >= futurePatienceMs
  }

  /** The primary was not behind. */
  reset(): void {
    this.#sinceMs = undefined
  }
}

export function isFromFuture(error: unknown): boolean {
  return error instanceof PositionLost && error.code === 'SOURCE_FROM_FUTURE'
}

/**
 * A position that the primary has not reached is not of this history (decision 6): the server would wait for it in
 * silence. One tick of grace: a start at "now" is the tick after the last operation. Throws PositionLost
 * SOURCE_FROM_FUTURE.
 */
export function refuseFuture(position: Position, operationTime: ClusterTime): void {
  if (operationTime === 0n || position.clusterTime <= operationTime + 1n) return
  throw new PositionLost(
    'SOURCE_FROM_FUTURE',
    `the position ${position} is later than the primary's operation time ${Position.ofTime(operationTime)}`,
  )
}

export interface FutureGuardSettings {
  readonly clock: Clock
  /** The primary's operation time. Throws Retryable where there is no primary. */
  readonly operationTime: () => Promise<ClusterTime>
  /** How long a primary is waited for. */
  readonly patienceMs: number
}

const backOff = { initialMs: 100, maxMs: 2_000 }

/**
 * Looks whether positions are of MongoDB's history before anybody waits for what follows them: who joins a stream that
 * is open is not put to MongoDB by that. What was reached once is known, and many ask together.
 */
export class FutureGuard {
  readonly #settings: FutureGuardSettings
  readonly #clock: Clock
  #reached: ClusterTime = 0n
  #asking: Promise<ClusterTime> | undefined
  #askedMs = 0

  constructor(settings: FutureGuardSettings) {
    this.#settings = settings
    this.#clock = steady(settings.clock)
  }

  /** Throws PositionLost SOURCE_FROM_FUTURE, Retryable, or the reason of `signal`. */
  async check(position: Position, signal: AbortSignal): Promise<void> {
    const { patienceMs } = this.#settings
    const clock = this.#clock
    const startMs = clock.nowMs()
    const future = new FuturePatience(clock)
    for (let failures = 1; position.clusterTime > this.#reached + 1n; failures++) {
      const answer = this.#ask()
      const askedMs = this.#askedMs
      try {
        refuseFuture(position, await untilAborted(answer, signal))
        return
      } catch (error) {
        const isLate = clock.nowMs() - startMs > patienceMs
        const isOver = future.isOver(error, askedMs)
        if (isOver || !(isFromFuture(error) || (error instanceof Retryable && !isLate))) throw error
      }
      await clock.sleep(backOffMs(backOff, failures, clock), signal)
    }
  }

  #ask(): Promise<ClusterTime> {
    if (this.#asking) return this.#asking
    this.#askedMs = this.#clock.nowMs()
    this.#asking = this.#settings
      .operationTime()
      .then(time => {
        if (time > this.#reached) this.#reached = time
        return time
      })
      .finally(() => {
        this.#asking = undefined
      })
    return this.#asking
  }
}
