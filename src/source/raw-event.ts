import { findField } from '../bson/walk.ts'
import type { ChangeEvent, DocumentLabel, Span, ValueSpan } from '../event.ts'
import { Position } from '../position.ts'

export interface Namespace {
  readonly db: string
  /** Empty where the event concerns a whole database. */
  readonly collection: string
}

const idName = Buffer.from('_id')

/**
 * A change event as offsets into the reply that brought it; 0 where it has no such part. Objects of its own it has
 * only while someone asks for a part: a backlog is read at 8 microseconds an event, and most of what an event could
 * have made would be garbage.
 *
 * The memory of a reply is left to the garbage collector. Freeing it by hand (detaching its ArrayBuffer) when the last
 * pipeline has gone on would save a collection every 32 MB, but is wrong: the driver keeps the signature of the last
 * reply's $clusterTime as a view on that memory and sends it with the next command.
 */
export class RawEvent implements ChangeEvent {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  operation = ''
  /** Events of the same namespace have the very same object, as long as their reader remembers it. */
  namespace: Namespace
  tokenStart = 0
  tokenEnd = 0
  keyStart = 0
  keyEnd = 0
  afterStart = 0
  afterEnd = 0
  beforeStart = 0
  beforeEnd = 0
  wallTimeStart = 0
  clusterTimeStart = 0

  constructor(bytes: Buffer, start: number, end: number, namespace: Namespace) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.namespace = namespace
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
    return this.#span(this.keyStart, this.keyEnd)
  }

  get id(): ValueSpan | undefined {
    return this.keyStart === 0 ? undefined : findField(this.bytes, this.keyStart, this.keyEnd, idName)
  }

  get after(): Span | undefined {
    return this.#span(this.afterStart, this.afterEnd)
  }

  get before(): Span | undefined {
    return this.#span(this.beforeStart, this.beforeEnd)
  }

  get label(): DocumentLabel {
    const has = this.afterStart !== 0 || (this.operation === 'delete' && this.beforeStart !== 0)
    return has ? 'exact' : 'none'
  }

  /** Made whenever it is asked for, which costs more than the rest of the event. */
  get position(): Position {
    return Position.ofToken(this.bytes.subarray(this.tokenStart, this.tokenEnd))
  }

  get token(): Span | undefined {
    return this.#span(this.tokenStart, this.tokenEnd)
  }

  get timestampMs(): number {
    const { bytes, wallTimeStart } = this
    if (wallTimeStart !== 0) return bytes.readInt32LE(wallTimeStart + 4) * 2 ** 32 + bytes.readUInt32LE(wallTimeStart)
    // Timestamps hold the increment in the low four bytes, the seconds in the high four.
    return this.clusterTimeStart === 0 ? 0 : bytes.readUInt32LE(this.clusterTimeStart + 4) * 1000
  }

  #span(start: number, end: number): Span | undefined {
    return start === 0 ? undefined : { bytes: this.bytes, start, end }
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

  get timestampMs(): number {
    return this.#event.timestampMs
  }
}
