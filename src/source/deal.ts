import { slotHash } from '../bson/slot.ts'
import type { Position } from '../position.ts'
import type { Matcher } from './match.ts'
import type { Namespace, RawEvent } from './raw-event.ts'
import type { RawBatch } from './reader.ts'
import type { Slot } from './source.ts'

/** What becomes a pipeline's part of a batch: its own events behind its position. */
export class Part {
  readonly #batch: RawBatch
  readonly #position: Position
  /** Whether the pipeline has the first events of the batch already. */
  readonly #ahead: boolean
  readonly #events: RawEvent[] = []
  #bytes = 0

  /** `first` is the position of the first event of `batch`. */
  constructor(batch: RawBatch, position: Position, first: Position | undefined) {
    this.#batch = batch
    this.#position = position
    // Events are in order: only where the first is at or below the position are comparisons needed.
    this.#ahead = first !== undefined && first.compare(position) <= 0
  }

  add(event: RawEvent): void {
    if (this.#ahead && event.position.compare(this.#position) <= 0) return
    this.#events.push(event)
    this.#bytes += event.end - event.start
  }

  /** With the batch's position whether or not there are events. */
  finish(): RawBatch {
    const { position, more } = this.#batch
    return { events: this.#events, position: later(position, this.#position), bytes: this.#bytes, more }
  }
}

function later(one: Position, other: Position): Position {
  return one.compare(other) > 0 ? one : other
}

/** What a place without events is told of `batch`: how far it reaches. */
export function markOf(batch: RawBatch, position: Position): RawBatch {
  return { events: [], position: later(batch.position, position), bytes: 0, more: batch.more }
}

/** Invalidate is about a stream, which is ours: the pipelines see the drop or rename itself. */
function isOfStream(event: RawEvent): boolean {
  return event.operation === 'invalidate'
}

/** A place that batches are dealt out to: one pipeline, one slot. */
export interface Place {
  readonly matches: Matcher
  readonly slot: Slot
  /** Everything up to here it has. */
  readonly position: Position
}

/** The places of one namespace that have the same number of slots. */
interface Ring<P> {
  readonly count: number
  /** By slot; a slot that none of them has is missing. */
  readonly places: readonly (readonly P[] | undefined)[]
}

/** A ring's parts of the batch in hand, by slot, made when the first event comes. */
interface Hand<P> {
  readonly ring: Ring<P>
  readonly parts: (readonly Part[] | undefined)[]
}

const maxNamespaces = 10_000
const unknownHash = -1

/**
 * Deals batches out among many pipelines and slots: each event is looked at once, however many there are, and hashed
 * once at most. Events without a document (drop, rename, dropDatabase) are slot 0's.
 */
export class Dealer<P extends Place> {
  readonly #places: ReadonlySet<P>
  readonly #rings = new Map<Namespace, readonly Ring<P>[]>()

  constructor(places: ReadonlySet<P>) {
    this.#places = places
  }

  /** To be called when a place was added or removed. */
  forget(): void {
    this.#rings.clear()
  }

  /** The parts of those that have events in `batch`. */
  deal(batch: RawBatch): ReadonlyMap<P, Part> {
    const deal = new Deal<P>(batch)
    let namespace: Namespace | undefined
    let hands: readonly Hand<P>[] = []
    for (const event of batch.events) {
      if (isOfStream(event)) continue
      if (event.namespace !== namespace) {
        namespace = event.namespace
        hands = deal.hands(namespace, this.#ringsOf(namespace))
      }
      let hash = unknownHash
      for (const hand of hands) {
        const { count } = hand.ring
        if (count > 1 && hash === unknownHash) hash = hashOf(event)
        const slot = count > 1 ? hash % count : 0
        for (const part of hand.parts[slot] ?? deal.parts(hand, slot)) part.add(event)
      }
    }
    return deal.byPlace
  }

  #ringsOf(namespace: Namespace): readonly Ring<P>[] {
    const known = this.#rings.get(namespace)
    if (known) return known
    const takers = [...this.#places].filter(({ matches }) => matches(namespace.db, namespace.collection))
    const rings = Map.groupBy(takers, ({ slot }) => slot.count)
      .entries()
      .map(([count, places]) => ringOf(count, places))
      .toArray()
    if (this.#rings.size >= maxNamespaces) this.#rings.clear()
    this.#rings.set(namespace, rings)
    return rings
  }
}

/** One batch while it is dealt out. */
class Deal<P extends Place> {
  readonly byPlace = new Map<P, Part>()
  readonly #batch: RawBatch
  readonly #first: Position | undefined
  readonly #hands = new Map<Namespace, readonly Hand<P>[]>()

  constructor(batch: RawBatch) {
    this.#batch = batch
    this.#first = batch.events[0]?.position
  }

  hands(namespace: Namespace, rings: readonly Ring<P>[]): readonly Hand<P>[] {
    let hands = this.#hands.get(namespace)
    if (!hands) {
      hands = rings.map(ring => ({ ring, parts: [] }))
      this.#hands.set(namespace, hands)
    }
    return hands
  }

  parts({ ring, parts }: Hand<P>, slot: number): readonly Part[] {
    const made = (ring.places[slot] ?? []).map(place => {
      const part = this.byPlace.get(place) ?? new Part(this.#batch, place.position, this.#first)
      this.byPlace.set(place, part)
      return part
    })
    parts[slot] = made
    return made
  }
}

function ringOf<P extends Place>(count: number, places: readonly P[]): Ring<P> {
  const bySlot: (P[] | undefined)[] = Array.from({ length: count }, () => undefined)
  for (const place of places) {
    const others = bySlot[place.slot.index]
    if (others) others.push(place)
    else bySlot[place.slot.index] = [place]
  }
  return { count, places: bySlot }
}

function hashOf({ bytes, keyStart, keyEnd }: RawEvent): number {
  return keyStart === 0 ? 0 : slotHash(bytes, keyStart, keyEnd)
}

/** The part of `batch` that belongs to a place alone. */
export function partOf<P extends Place>(batch: RawBatch, place: P): RawBatch {
  return new Dealer(new Set([place])).deal(batch).get(place)?.finish() ?? markOf(batch, place.position)
}
