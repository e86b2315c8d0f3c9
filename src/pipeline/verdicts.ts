import { Configuration, type Fault, PoisonEvent, type PoisonReason } from '../errors.ts'
import type { Position } from '../position.ts'
import { sortKeyOfHeader } from '../record-headers.ts'

/** What to do with an event that cannot pass. */
export type Choice = 'fail' | 'skip' | 'dead-letter'

/** What a pipeline does with events that cannot pass, and where its dead letters go. */
export interface OnError extends Readonly<Record<PoisonReason, Choice>> {
  /** Topic name with the placeholders {topic}, {db} and {collection}. */
  readonly deadLetterTopic: string
}

/** Refused events between the durable position and the last one read: each is kept until the position has passed it. */
const openLimit = 4_096

/**
 * Which events the sink has refused, by position: of one pipeline on one slot, for as long as it runs (decision 5). A
 * refusal comes when later records are already on their way, so nothing can be put in the place of the refused one. The
 * attempt ends, and the replay sends a dead letter there, or nothing. What a crash forgets is refused once more.
 */
export class Verdicts {
  readonly #onError: OnError
  /** By the bytes that order as positions do, as Latin-1 text, which orders alike. */
  readonly #open = new Map<string, PoisonEvent>()

  constructor(onError: OnError) {
    this.#onError = onError
  }

  /**
   * Remembers what `fault` says about an event, and returns undefined: the next attempt gets past it. Else returns the
   * fault that ends the pipeline, or is to be retried: `fault` itself, or what is wrong with the dead letter.
   */
  judge(fault: Fault): Fault | undefined {
    if (!(fault instanceof PoisonEvent) || this.#onError[fault.reason] === 'fail') return fault
    const key = fault.record?.position && sortKeyOfHeader(fault.record.position)?.toString('latin1')
    if (key === undefined) return fault
    if (this.#open.has(key)) {
      const message = `the dead letter of an event was refused too: ${fault.message}`
      return new Configuration('DEAD_LETTER_REFUSED', message, { cause: fault })
    }
    if (this.#open.size === openLimit) {
      const message = `more than ${openLimit} events were refused before a position behind them could be saved; the last: ${fault.message}`
      return new Configuration('DEAD_LETTER_LIMIT', message, { cause: fault })
    }
    this.#open.set(key, fault)
    return undefined
  }

  /** Drops those of events up to the durable position: they are never read again. */
  forget(durable: Position): void {
    const upTo = keyOf(durable)
    for (const key of this.#open.keys()) if (key <= upTo) this.#open.delete(key)
  }

  /** Those that an attempt comes by, which begins now. */
  ahead(): VerdictsAhead {
    return new VerdictsAhead(this.#open)
  }
}

/** The verdicts that an attempt comes by. To ask an event for its position is dear, so most batches are never asked. */
export class VerdictsAhead {
  readonly #verdicts: ReadonlyMap<string, PoisonEvent>
  /** In the order of the stream. */
  readonly #keys: readonly string[]
  #next = 0

  constructor(verdicts: ReadonlyMap<string, PoisonEvent>) {
    this.#verdicts = new Map(verdicts)
    this.#keys = [...verdicts.keys()].sort()
  }

  /** Whether there are any for the batch that ends at `position`; batches come in order. */
  enter(position: Position): boolean {
    if (this.#next === this.#keys.length) return false
    const end = keyOf(position)
    const first = this.#next
    while (this.#next < this.#keys.length && this.#keys[this.#next]! <= end) this.#next += 1
    return this.#next > first
  }

  /** What was said about the event at `position`. */
  of(position: Position): PoisonEvent | undefined {
    return this.#verdicts.get(keyOf(position))
  }
}

function keyOf({ sortKey }: Position): string {
  return sortKey.toString('latin1')
}
