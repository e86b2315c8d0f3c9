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
  /** Whether all events of the batch are the pipeline's, and so the batch's own list is. */
  #whole = false

  /** `first` is the position of the first event of `batch`. */
  constructor(batch: RawBatch, position: Position, first: Position | undefined) {
    this.#batch = batch
    this.#position = position
    // Events are in order: only where the first is at or below the position are comparisons needed.
    this.#ahead = first !== undefined && first.compare(position) <= 0
  }

  /** The events `from` to `to` - 1 of the batch. */
  addRun(from: number, to: number): void {
    const { events } = this.#batch
    this.#whole = !this.#ahead && from === 0 && to === events.length
    if (this.#whole) return
    for (let i = from; i < to; i++) this.add(events[i]!)
  }

  add(event: RawEvent): void {
    if (this.#ahead && event.position.compare(this.#position) <= 0) return
    this.#events.push(event)
    this.#bytes += event.end - event.start
  }

  /** With the batch's position whether or not there are events. */
  finish(): RawBatch {
    const { position, more, events, bytes } = this.#batch
    const mine = this.#whole ? { events, bytes } : { events: this.#events, bytes: this.#bytes }
    return { ...mine, position: later(position, this.#position), more }
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

/** Where the run ends that begins at `from`: events of one namespace, or one event of the stream itself. */
function runEnd(events: readonly RawEvent[], from: number): number {
  const { namespace } = events[from]!
  let to = from + 1
  if (isOfStream(events[from]!)) return to
  while (to < events.length && events[to]!.namespace === namespace && !isOfStream(events[to]!)) to++
  return to
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

/**
 * Deals batches out among many pipelines and slots: each event is looked at once, however many there are, and hashed
 * once for every number of slots. Runs of one namespace go together, and a batch that is one pipeline's as it is is not
 * copied. Events without a document (drop, rename, dropDatabase) are slot 0's.
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
    const { events } = batch
    for (let from = 0, to = 0; from < events.length; from = to) {
      to = runEnd(events, from)
      const { namespace } = events[from]!
      if (isOfStream(events[from]!)) continue
      for (const hand of deal.hands(namespace, this.#ringsOf(namespace))) {
        if (hand.ring.count > 1) deal.bySlot(hand, from, to)
        else for (const part of deal.parts(hand, 0)) part.addRun(from, to)
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

  /** Deals the events `from` to `to` - 1 out to the slots that their documents belong to. */
  bySlot(hand: Hand<P>, from: number, to: number): void {
    const { events } = this.#batch
    const { count } = hand.ring
    for (let i = from; i < to; i++) {
      const event = events[i]!
      const parts = this.parts(hand, hashOf(event) % count)
      for (let j = 0; j < parts.length; j++) parts[j]!.add(event)
    }
  }

  parts({ ring, parts }: Hand<P>, slot: number): readonly Part[] {
    const known = parts[slot]
    if (known !== undefined) return known
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
