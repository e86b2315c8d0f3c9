import { DATE, DOCUMENT, STRING, TIMESTAMP } from '../bson/types.ts'
import { Elements, findField } from '../bson/walk.ts'
import type { ChangeEvent, DocumentLabel, Span, ValueSpan } from '../event.ts'
import { Position } from '../position.ts'

/** What the pipeline's image modes or a lookup put in place of the event's own documents. */
export interface Images {
  readonly after: Span | undefined
  readonly before: Span | undefined
  readonly label: DocumentLabel
}

/** Where the parts of an event are. */
interface Parts extends Images {
  readonly raw: Span
  readonly token: Buffer
  readonly operation: string
  readonly db: string
  readonly collection: string
  readonly documentKey: Span | undefined
  readonly id: ValueSpan | undefined
  readonly timestampMs: number
}

/** A change event as views on the reply that brought it. */
export class RawEvent implements ChangeEvent {
  readonly #parts: Parts
  #position: Position | undefined
  readonly raw: Span
  readonly operation: string
  readonly db: string
  readonly collection: string
  readonly documentKey: Span | undefined
  readonly id: ValueSpan | undefined
  readonly after: Span | undefined
  readonly before: Span | undefined
  readonly label: DocumentLabel
  readonly timestampMs: number

  constructor(parts: Parts, position?: Position) {
    this.#parts = parts
    this.#position = position
    this.raw = parts.raw
    this.operation = parts.operation
    this.db = parts.db
    this.collection = parts.collection
    this.documentKey = parts.documentKey
    this.id = parts.id
    this.after = parts.after
    this.before = parts.before
    this.label = parts.label
    this.timestampMs = parts.timestampMs
  }

  /** Made when first asked for: most events of a shared stream belong to other pipelines. */
  get position(): Position {
    this.#position ??= Position.ofToken(this.#parts.token)
    return this.#position
  }

  withImages(images: Images): RawEvent {
    return new RawEvent({ ...this.#parts, ...images }, this.#position)
  }
}

/** Mutable while the walk goes over the event. */
interface Found {
  token: Buffer | undefined
  operation: string
  db: string
  collection: string
  documentKey: Span | undefined
  after: Span | undefined
  before: Span | undefined
  wallTimeMs: number | undefined
  clusterTimeMs: number
}

/** Takes one field of an event; fields of another type than MongoDB's (null images among them) are left out. */
type Take = (found: Found, elements: Elements) => void

const takers: ReadonlyMap<string, Take> = new Map<string, Take>([
  ['_id', (found, at) => when(at, DOCUMENT, () => (found.token = at.bytes.subarray(at.valueStart, at.valueEnd)))],
  ['operationType', (found, at) => when(at, STRING, () => (found.operation = text(at)))],
  ['ns', (found, at) => when(at, DOCUMENT, () => takeNamespace(found, at))],
  ['documentKey', (found, at) => when(at, DOCUMENT, () => (found.documentKey = span(at)))],
  ['fullDocument', (found, at) => when(at, DOCUMENT, () => (found.after = span(at)))],
  ['fullDocumentBeforeChange', (found, at) => when(at, DOCUMENT, () => (found.before = span(at)))],
  [
    'wallTime',
    (found, at) => when(at, DATE, () => (found.wallTimeMs = Number(at.bytes.readBigInt64LE(at.valueStart)))),
  ],
  ['clusterTime', (found, at) => when(at, TIMESTAMP, () => (found.clusterTimeMs = seconds(at) * 1000))],
])

/** Names of an event's fields that we take, by length and first byte: cheaper than making text of every name. */
const candidates: readonly { readonly name: Buffer; readonly take: Take }[] = [...takers].map(([name, take]) => ({
  name: Buffer.from(name),
  take,
}))
const idName = Buffer.from('_id')

/** Reads the change event at `bytes[start, end)` in one walk, without copying. Throws a RangeError where it is none. */
export function parseEvent(bytes: Buffer, start: number, end: number): RawEvent {
  const found: Found = {
    token: undefined,
    operation: '',
    db: '',
    collection: '',
    documentKey: undefined,
    after: undefined,
    before: undefined,
    wallTimeMs: undefined,
    clusterTimeMs: 0,
  }
  const elements = new Elements(bytes, start, end)
  while (elements.next()) {
    for (const { name, take } of candidates) {
      if (!elements.isNamed(name)) continue
      take(found, elements)
      break
    }
  }
  const { token, operation, db, collection, documentKey, after, before } = found
  if (!token || operation === '') throw new RangeError('change event without resume token or operationType')
  return new RawEvent({
    raw: { bytes, start, end },
    token,
    operation,
    db,
    collection,
    documentKey,
    id: documentKey && findField(documentKey.bytes, documentKey.start, documentKey.end, idName),
    after,
    before,
    label: after || before ? 'exact' : 'none',
    timestampMs: found.wallTimeMs ?? found.clusterTimeMs,
  })
}

function when(at: Elements, type: number, take: () => unknown): void {
  if (at.type === type) take()
}

function span(at: Elements): Span {
  return { bytes: at.bytes, start: at.valueStart, end: at.valueEnd }
}

function text(at: Elements): string {
  return at.bytes.toString('utf8', at.valueStart + 4, at.valueEnd - 1)
}

/** Timestamps hold the increment in the low four bytes, the seconds in the high four. */
function seconds(at: Elements): number {
  return at.bytes.readUInt32LE(at.valueStart + 4)
}

function takeNamespace(found: Found, at: Elements): void {
  const names = new Elements(at.bytes, at.valueStart, at.valueEnd)
  while (names.next()) {
    if (names.type !== STRING) continue
    const name = names.name()
    if (name === 'db') found.db = text(names)
    else if (name === 'coll') found.collection = text(names)
  }
}
