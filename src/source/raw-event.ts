import { findField } from '../bson/walk.ts'
import type { PoisonEvent } from '../errors.ts'
import type { ChangeEvent, DocumentLabel, Span, ValueSpan } from '../event.ts'
import { Position } from '../position.ts'

export interface Namespace {
  readonly db: string
  /** Empty where the event concerns a whole database. */
  readonly collection: string
}

const idName = Buffer.from('_id')

/** Columns of the offsets of an event; those of a part are its start and, behind it, its end. */
export const COLUMNS = { event: 0, token: 2, key: 4, after: 6, before: 8, wallTime: 10, clusterTime: 12 } as const
export type Column = (typeof COLUMNS)[keyof typeof COLUMNS]
const columnCount = 14

/**
 * Where the parts of a reply's events are: a row for each event, 0 where it has no such part. In one array outside of
 * V8's heap, because a backlog's events outlive a collection or two of the young generation: what each of them keeps
 * on the heap is copied and then left to a full collection.
 */
export class EventOffsets {
  readonly cells: Int32Array
  #rows = 0

  /** Room for `rows` events. */
  constructor(rows: number) {
    this.cells = new Int32Array(rows * columnCount)
  }

  /** Where the next row begins in `cells`. Throws a RangeError where there is no room for it. */
  addRow(): number {
    const row = this.#rows * columnCount
    if (row >= this.cells.length) throw new RangeError(`more than ${this.#rows} events`)
    this.#rows += 1
    return row
  }
}

/**
 * A change event as offsets into the reply that brought it. Objects of its own it has only while someone asks for a
 * part: a backlog is read at 8 microseconds an event, and most of what an event could have made would be garbage.
 *
 * The memory of a reply is left to the garbage collector. Freeing it by hand (detaching its ArrayBuffer) when the last
 * pipeline has gone on would save a collection every 32 MB, but is wrong: the driver keeps the signature of the last
 * reply's $clusterTime as a view on that memory and sends it with the next command.
 */
export class RawEvent implements ChangeEvent {
  readonly bytes: Buffer
  readonly operation: string
  /** Events of the same namespace have the very same object, as long as their reader remembers it. */
  readonly namespace: Namespace
  readonly #cells: Int32Array
  readonly #row: number

  /** Its offsets are at `row` of `cells`. */
  constructor(bytes: Buffer, cells: Int32Array, row: number, operation: string, namespace: Namespace) {
    this.bytes = bytes
    this.#cells = cells
    this.#row = row
    this.operation = operation
    this.namespace = namespace
  }

  get start(): number {
    return this.#at(COLUMNS.event)
  }

  get end(): number {
    return this.#at(COLUMNS.event + 1)
  }

  /** Start of documentKey; 0 where there is none. */
  get keyStart(): number {
    return this.#at(COLUMNS.key)
  }

  get keyEnd(): number {
    return this.#at(COLUMNS.key + 1)
  }

  get hasAfter(): boolean {
    return this.#at(COLUMNS.after) !== 0
  }

  get hasBefore(): boolean {
    return this.#at(COLUMNS.before) !== 0
  }

  get raw(): Span {
    return { bytes: this.bytes, start: this.start, end: this.end }
  }

  get db(): string {
    return this.namespace.db
  }

  get collection(): string {
    return this.namespace.collection
  }

  get documentKey(): Span | undefined {
    return this.#span(COLUMNS.key)
  }

  get id(): ValueSpan | undefined {
    const { keyStart } = this
    return keyStart === 0 ? undefined : findField(this.bytes, keyStart, this.keyEnd, idName)
  }

  get after(): Span | undefined {
    return this.#span(COLUMNS.after)
  }

  get before(): Span | undefined {
    return this.#span(COLUMNS.before)
  }

  get label(): DocumentLabel {
    const has = this.hasAfter || (this.operation === 'delete' && this.hasBefore)
    return has ? 'exact' : 'none'
  }

  /** Made whenever it is asked for, which costs more than the rest of the event. */
  get position(): Position {
    return Position.ofToken(this.bytes.subarray(this.#at(COLUMNS.token), this.#at(COLUMNS.token + 1)))
  }

  get token(): Span | undefined {
    return this.#span(COLUMNS.token)
  }

  get timestampMs(): number {
    const { bytes } = this
    const wallTimeStart = this.#at(COLUMNS.wallTime)
    if (wallTimeStart !== 0) return bytes.readInt32LE(wallTimeStart + 4) * 2 ** 32 + bytes.readUInt32LE(wallTimeStart)
    // Timestamps hold the increment in the low four bytes, the seconds in the high four.
    const clusterTimeStart = this.#at(COLUMNS.clusterTime)
    return clusterTimeStart === 0 ? 0 : bytes.readUInt32LE(clusterTimeStart + 4) * 1000
  }

  /** Why the event cannot pass; a getter, so that it costs the others no memory. */
  get poison(): PoisonEvent | undefined {
    return undefined
  }

  /** The same event, which cannot pass. */
  poisoned(why: PoisonEvent): RawEvent {
    return new PoisonedEvent(this.bytes, this.#cells, this.#row, this.operation, this.namespace, why)
  }

  #at(column: number): number {
    return this.#cells[this.#row + column]!
  }

  #span(column: Column): Span | undefined {
    const start = this.#at(column)
    return start === 0 ? undefined : { bytes: this.bytes, start, end: this.#at(column + 1) }
  }
}

/** An event of which no record can be made: too large for MongoDB to send, or unreadable. */
class PoisonedEvent extends RawEvent {
  readonly #poison: PoisonEvent

  constructor(
    bytes: Buffer,
    cells: Int32Array,
    row: number,
    operation: string,
    namespace: Namespace,
    poison: PoisonEvent,
  ) {
    super(bytes, cells, row, operation, namespace)
    this.#poison = poison
  }

  override get poison(): PoisonEvent {
    return this.#poison
  }
}

/** What the pipeline's image modes or a lookup put in place of the event's own documents. */
export interface Images {
  readonly after: Span | undefined
  readonly before: Span | undefined
  readonly label: DocumentLabel
}

/** An event with other images than MongoDB sent, for one pipeline: the raw event may be shared. */
export class ImagedEvent implements ChangeEvent {
  readonly #event: RawEvent
  readonly after: Span | undefined
  readonly before: Span | undefined
  readonly label: DocumentLabel

  constructor(event: RawEvent, { after, before, label }: Images) {
    this.#event = event
    this.after = after
    this.before = before
    this.label = label
  }

  get raw(): Span {
    return this.#event.raw
  }

  get operation(): string {
    return this.#event.operation
  }

  get db(): string {
    return this.#event.db
  }

  get collection(): string {
    return this.#event.collection
  }

  get documentKey(): Span | undefined {
    return this.#event.documentKey
  }

  get id(): ValueSpan | undefined {
    return this.#event.id
  }

  get position(): Position {
    return this.#event.position
  }

  get token(): Span | undefined {
    return this.#event.token
  }

  get poison(): PoisonEvent | undefined {
    return this.#event.poison
  }

  get timestampMs(): number {
    return this.#event.timestampMs
  }
}
