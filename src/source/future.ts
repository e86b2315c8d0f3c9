import type { Clock } from '../clock.ts'
import { untilAborted } from '../deadline.ts'
import { PositionLost, Retryable } from '../errors.ts'
import { type ClusterTime, Position } from '../position.ts'
import { backOffMs } from '../retry.ts'

/**
 * How often a primary is asked, over eleven seconds: one that has just been elected may be behind, by a part of a second,
 * until something is written, and MongoDB writes a no-op every ten seconds by itself. A restored backup stays behind.
 */
export const futureLimit = 10

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
  #reached: ClusterTime = 0n
  #asking: Promise<ClusterTime> | undefined

  constructor(settings: FutureGuardSettings) {
    this.#settings = settings
  }

  /** Throws PositionLost SOURCE_FROM_FUTURE, Retryable, or the reason of `signal`. */
  async check(position: Position, signal: AbortSignal): Promise<void> {
    const { clock, patienceMs } = this.#settings
    const startMs = clock.nowMs()
    for (let failures = 1; position.clusterTime > this.#reached + 1n; failures++) {
      try {
        refuseFuture(position, await untilAborted(this.#ask(), signal))
        return
      } catch (error) {
        if (!mayAskAgain(error, failures, clock.nowMs() - startMs > patienceMs)) throw error
      }
      await clock.sleep(backOffMs(backOff, failures, clock), signal)
    }
  }

  #ask(): Promise<ClusterTime> {
    this.#asking ??= this.#settings
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

function mayAskAgain(error: unknown, failures: number, isLate: boolean): boolean {
  if (error instanceof PositionLost) return failures < futureLimit
  return error instanceof Retryable && !isLate
}
