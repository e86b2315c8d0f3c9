import type { Position } from '../position.ts'
import type { Matcher } from './match.ts'
import type { Namespace, RawEvent } from './raw-event.ts'
import type { RawBatch } from './reader.ts'

/** What becomes a pipeline's part of a batch: its own events behind its position. */
export class Part {
  readonly #batch: RawBatch
  readonly #position: Position
  /** Whether the pipeline has the first events of the batch already. */
  readonly #ahead: boolean
  readonly #events: RawEvent[] = []
  #bytes = 0

  constructor(batch: RawBatch, position: Position) {
    this.#batch = batch
    this.#position = position
    // Events are in order: only where the first is at or below the position are comparisons needed.
    const first = batch.events[0]
    this.#ahead = first !== undefined && first.position.compare(position) <= 0
  }

  add(event: RawEvent): void {
    if (this.#ahead && event.position.compare(this.#position) <= 0) return
    this.#events.push(event)
    this.#bytes += event.end - event.start
  }

  /** With the batch's position whether or not there are events. */
  finish(): RawBatch {
    const { position, more } = this.#batch
    const reached = position.compare(this.#position) > 0 ? position : this.#position
    return { events: this.#events, position: reached, bytes: this.#bytes, more }
  }
}

/** The part of `batch` that belongs to a pipeline which has everything up to `position`. */
export function partOf(batch: RawBatch, matches: Matcher, position: Position): RawBatch {
  const part = new Part(batch, position)
  let namespace: Namespace | undefined
  let mine = false
  for (const event of batch.events) {
    if (isOfStream(event)) continue
    if (event.namespace !== namespace) {
      namespace = event.namespace
      mine = matches(namespace.db, namespace.collection)
    }
    if (mine) part.add(event)
  }
  return part.finish()
}

/** Invalidate is about a stream, which is ours: the pipelines see the drop or rename itself. */
function isOfStream(event: RawEvent): boolean {
  return event.operation === 'invalidate'
}

/** A place that batches are dealt out to. */
export interface Place {
  readonly matches: Matcher
  readonly position: Position
}

const maxNamespaces = 10_000

/** Deals batches out among many pipelines: each event is looked at once, however many there are. */
export class Dealer<P extends Place> {
  readonly #places: ReadonlySet<P>
  readonly #takers = new Map<Namespace, readonly P[]>()

  constructor(places: ReadonlySet<P>) {
    this.#places = places
  }

  /** To be called when a place was added or removed. */
  forget(): void {
    this.#takers.clear()
  }

  /** The parts of those that have events in `batch`. */
  deal(batch: RawBatch): ReadonlyMap<P, Part> {
    const parts = new Map<P, Part>()
    let namespace: Namespace | undefined
    let takers: readonly Part[] = []
    for (const event of batch.events) {
      if (isOfStream(event)) continue
      if (event.namespace !== namespace) {
        namespace = event.namespace
        takers = this.#takersOf(namespace).map(place => {
          const part = parts.get(place) ?? new Part(batch, place.position)
          parts.set(place, part)
          return part
        })
      }
      for (const part of takers) part.add(event)
    }
    return parts
  }

  #takersOf(namespace: Namespace): readonly P[] {
    const known = this.#takers.get(namespace)
    if (known) return known
    const takers = [...this.#places].filter(({ matches }) => matches(namespace.db, namespace.collection))
    if (this.#takers.size >= maxNamespaces) this.#takers.clear()
    this.#takers.set(namespace, takers)
    return takers
  }
}
