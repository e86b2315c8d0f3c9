import type { Meaning } from './produce-errors.ts'
import type { QueuedBatch } from './queued-batch.ts'

/**
 * Batches of one partition on the wire. A broker remembers the last five of a producer: it knows no more of them as
 * duplicates, and with more a resend could be appended twice.
 */
export const maxInFlight = 5
/**
 * A broker forgets a producer that was silent for long, and then takes any sequence number. So after such a silence,
 * as at the very start, the first batch goes alone.
 */
const forgottenAfterMs = 60_000
/**
 * It does so by the time of the records, not of their coming (producer.id.expiration.ms, a day by default). While
 * records are as old as this, as when a long backlog is caught up, each batch goes alone.
 */
const forgottenAgeMs = 12 * 3_600_000

/** What became of a batch that was on the wire; see `answer`. */
export type Outcome = 'acknowledged' | 'failed' | 'fatal' | 'dropped'

/** Sequence number after `count` records from `sequence` on: after 2^31 - 1 comes 0. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) & 0x7fffffff
}

/**
 * The unacknowledged batches of one partition, in order: what may go on the wire, and what an answer means. Pure; the
 * caller does what it says.
 *
 * | phase     | what goes on the wire                                        | next                                    |
 * |-----------|--------------------------------------------------------------|-----------------------------------------|
 * | flowing   | the next batch, while fewer than five are sent; one, until   | rewinding, when a batch fails           |
 * |           | the broker has acknowledged one (`#confirmed`)               |                                         |
 * | rewinding | nothing                                                      | flowing, once no batch is sent any more |
 * | ended     | nothing                                                      |                                         |
 *
 * While flowing, the sent batches are the first ones of the queue. They travel on one connection, which answers in
 * order. After a failure the later ones on the wire may still be appended, so that all answers must be there (or the
 * connection closed) before the failed ones go again: the same bytes, in order, to whoever leads the partition then.
 */
export class PartitionQueue {
  readonly #batches: QueuedBatch[] = []
  #phase: 'flowing' | 'rewinding' | 'ended' = 'flowing'
  #nextSequence: number
  #inFlight = 0
  /**
   * The broker has this producer's state for the partition, and thus refuses a gap. Without it a batch behind a
   * failed first one would be taken whatever its number, and the first one never again.
   */
  #confirmed = false
  #rewinds = 0
  #progressMs = 0

  constructor(firstSequence: number) {
    this.#nextSequence = firstSequence
  }

  /** Batches on the wire. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** How often it was rewound since the last acknowledgement. */
  get rewinds(): number {
    return this.#rewinds
  }

  /** Since when the first batch has waited without any progress of the partition; undefined where none waits. */
  get stalledSinceMs(): number | undefined {
    return this.#batches.length === 0 ? undefined : this.#progressMs
  }

  /** The batch that takes records; undefined where there is none. */
  get open(): QueuedBatch | undefined {
    const last = this.#batches.at(-1)
    return last?.state === 'open' ? last : undefined
  }

  /** Adds an open batch at the end; the one before it is closed. */
  push(batch: QueuedBatch): void {
    if (this.open !== undefined) this.close(this.open)
    if (this.#batches.length === 0) {
      if (batch.beganMs - this.#progressMs > forgottenAfterMs) this.#confirmed = false
      this.#progressMs = batch.beganMs
    }
    this.#batches.push(batch)
  }

  /** It takes no more records. */
  close(batch: QueuedBatch): void {
    if (batch.state === 'open') batch.state = 'closed'
  }

  /** The batch whose turn on the wire it is, in whatever state; undefined while none may go. */
  next(): QueuedBatch | undefined {
    if (this.#phase !== 'flowing' || this.#inFlight >= (this.#confirmed ? maxInFlight : 1)) return undefined
    return this.#batches[this.#inFlight]
  }

  /** The next batch to seal, among those that may soon be sent; undefined where there is none. */
  nextToSeal(): QueuedBatch | undefined {
    if (this.#phase !== 'flowing') return undefined
    return this.#batches.slice(this.#inFlight, this.#inFlight + maxInFlight).find(({ state }) => state === 'closed')
  }

  /** Gives the batch its sequence number. Batches are sealed in order, each only once. */
  beginSealing(batch: QueuedBatch): void {
    if (batch.state !== 'open' && batch.state !== 'closed') throw new Error(`a ${batch.state} batch cannot be sealed`)
    batch.baseSequence = this.#nextSequence
    this.#nextSequence = sequenceAfter(this.#nextSequence, batch.records.count)
    batch.state = 'sealing'
  }

  sealed(batch: QueuedBatch): void {
    if (batch.state === 'sealing') batch.state = 'sealed'
  }

  sent(batch: QueuedBatch): void {
    if (batch !== this.next() || batch.state !== 'sealed') throw new Error('it is not the turn of this batch')
    batch.state = 'sent'
    batch.sends += 1
    this.#inFlight += 1
  }

  /**
   * Takes the answer to a sent batch. acknowledged: it left the queue. failed: it will go again, see `rewind`. fatal:
   * it left the queue, and nothing of this producer may be sent any more. dropped: it failed after the end and left.
   *
   * `nowMs` goes on evenly; `timeOfDayMs` is by the clock that the records' times are by, as far as any is.
   *
   * Behind a failed batch no refusal counts: it may be a consequence, and the fault that ends a producer is the first
   * in order. The batch gets its own answer when it goes again.
   */
  answer(batch: QueuedBatch, meaning: Meaning, nowMs: number, timeOfDayMs = nowMs): Outcome {
    const index = this.#batches.indexOf(batch)
    if (index < 0 || batch.state !== 'sent') throw new Error('an answer to a batch that is not on the wire')
    this.#inFlight -= 1
    if (meaning === 'acknowledged') {
      this.#batches.splice(index, 1)
      this.#confirmed = timeOfDayMs - batch.newestMs < forgottenAgeMs
      this.#rewinds = 0
      this.#progressMs = nowMs
      return 'acknowledged'
    }
    if (this.#phase === 'ended') {
      this.#batches.splice(index, 1)
      return 'dropped'
    }
    if (index === 0 && (meaning === 'fatal' || meaning === 'out-of-order')) {
      this.#batches.splice(index, 1)
      return 'fatal'
    }
    batch.state = 'failed'
    this.#phase = 'rewinding'
    return 'failed'
  }

  /** Another broker leads: whether it knows the producer is not known. */
  doubt(): void {
    this.#confirmed = false
  }

  /** Once nothing of a rewinding queue is on the wire, makes its failed batches sendable again. true: it did. */
  rewind(): boolean {
    if (this.#phase !== 'rewinding' || this.#inFlight > 0) return false
    for (const batch of this.#batches) if (batch.state === 'failed') batch.state = 'sealed'
    this.#phase = 'flowing'
    this.#confirmed = false
    this.#rewinds += 1
    return true
  }

  /** Nothing goes on the wire any more. Takes out what is not there now. */
  end(): QueuedBatch[] {
    this.#phase = 'ended'
    const unsent = this.#batches.filter(({ state }) => state !== 'sent')
    const sent = this.#batches.filter(({ state }) => state === 'sent')
    this.#batches.splice(0, this.#batches.length, ...sent)
    return unsent
  }
}
