import type { Clock } from '../clock.ts'
import type { Position } from '../position.ts'
import type { TransactionalSink } from '../sink/sink.ts'
import type { Ledger } from './ledger.ts'
import type { Delivery, PreparedBatch } from './pipeline.ts'
import { Rest } from './rest.ts'

export interface ExactlyOnceParts {
  readonly sink: Pick<TransactionalSink, 'send'>
  /** Its write commits what was sent before it. */
  readonly ledger: Pick<Ledger, 'write' | 'usePartitions'>
  /** Least time between the beginnings of two commits; asked before each. */
  readonly intervalMs: () => number
  /** A transaction of so many bytes (as the window counts them) is committed at once. */
  readonly transactionBytes: number
  /** Commits what is open at once. */
  readonly hurry: AbortSignal
  readonly clock: Clock
}

/** How often a position is committed alone, where there are no records to go with it (decision 7). */
const idleIntervalMs = 10_000
const leastIntervalMs = 10
const mostIntervalMs = 1_000
const intervalPerSinkMs = 5

/**
 * The commit interval of each of `sinks` transactional sinks of one worker, milliseconds. A commit costs the broker
 * about five milliseconds of work whoever makes it: two hundred a second are shared by all, however many they are.
 */
export function commitIntervalMs(sinks: number): number {
  return Math.min(Math.max(sinks * intervalPerSinkMs, leastIntervalMs), mostIntervalMs)
}

interface Transaction {
  position: Position
  bytes: number
  readonly committed: PromiseWithResolvers<void>
}

/**
 * Exactly-once: records are sent at once, and committed from time to time together with the position after the last
 * of them, so that read-committed consumers see both or neither (G4). A commit is called in the same turn in which its
 * position is taken: were there an `await` between, the records of a later batch would belong to this transaction and
 * their position to the next, and a crash between the two would repeat them.
 *
 * While a commit is under way the loop goes on: the sink keeps what it is given for the next transaction. After the
 * first failure nothing is committed any more. Whether the last commit took effect is then unknown; the successor's
 * checkpoint tells.
 */
export class ExactlyOnce implements Delivery {
  readonly #parts: ExactlyOnceParts
  /** What was sent since the last commit began. */
  #open: Transaction | undefined
  #committing: Transaction | undefined
  #running = false
  #beganMs: number
  #failure: { readonly reason: unknown } | undefined
  readonly #rest: Rest

  constructor(parts: ExactlyOnceParts) {
    this.#parts = parts
    this.#beganMs = parts.clock.nowMs()
    this.#rest = new Rest(parts.clock, parts.hurry)
  }

  async deliver(batch: PreparedBatch, signal: AbortSignal): Promise<void> {
    if (batch.recordCount === 0) return this.#advance(batch.position, signal)
    const sent = this.#parts.sink.send(batch.records, signal)
    sent.catch(reason => this.#fail(reason))
    const committed = this.#join(batch.position, batch.bytes, signal)
    await Promise.allSettled([sent, committed])
    await sent // Its error says more than that of the commit which it prevented.
    await committed
  }

  /** Travels with the transaction that holds the topic's first record, so neither is ever without the other (G2). */
  async usePartitions(topic: string, count: number): Promise<void> {
    this.#parts.ledger.usePartitions(topic, count)
  }

  /** A batch without records: its position travels with others' records, and alone only now and then. */
  #advance(position: Position, signal: AbortSignal): Promise<void> {
    if (this.#open) return this.#join(position, 0, signal)
    if (this.#committing) return this.#committing.committed.promise
    const sinceMs = this.#parts.clock.nowMs() - this.#beganMs
    // A clock that was set back must not put the next one off for ever.
    if (sinceMs >= idleIntervalMs || sinceMs < 0) return this.#join(position, 0, signal)
    return this.#failure ? Promise.reject(this.#failure.reason) : Promise.resolve()
  }

  #join(position: Position, bytes: number, signal: AbortSignal): Promise<void> {
    this.#open ??= { position, bytes: 0, committed: Promise.withResolvers<void>() }
    const open = this.#open
    open.position = position
    open.bytes += bytes
    if (open.bytes >= this.#parts.transactionBytes) this.#rest.wake()
    if (!this.#running) {
      this.#running = true
      void this.#commitAll(signal)
    }
    return open.committed.promise
  }

  async #commitAll(signal: AbortSignal): Promise<void> {
    const { ledger, clock } = this.#parts
    for (;;) {
      await this.#untilDue()
      const transaction = this.#open
      if (!transaction) break
      this.#open = undefined
      this.#committing = transaction
      try {
        if (this.#failure) throw this.#failure.reason
        this.#beganMs = clock.nowMs()
        await ledger.write(transaction.position, signal)
        transaction.committed.resolve()
      } catch (error) {
        this.#fail(error)
        transaction.committed.reject(error)
      }
      this.#committing = undefined
    }
    this.#running = false
  }

  /** Waits until the interval is over, the transaction is large, somebody is in a hurry, or something has failed. */
  async #untilDue(): Promise<void> {
    const { clock, intervalMs, hurry, transactionBytes } = this.#parts
    const wantedMs = intervalMs()
    const waitMs = Math.min(this.#beganMs + wantedMs - clock.nowMs(), wantedMs)
    const isLarge = (this.#open?.bytes ?? 0) >= transactionBytes
    if (waitMs <= 0 || isLarge || hurry.aborted || this.#failure) return
    await this.#rest.for(waitMs)
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#rest.wake()
  }
}
