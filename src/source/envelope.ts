import { DATE, DOCUMENT, STRING, TIMESTAMP } from '../bson/types.ts'
import { Elements } from '../bson/walk.ts'
import { Intern } from './intern.ts'
import { type Namespace, RawEvent } from './raw-event.ts'

/** A field of an event that we take, where it has the type that MongoDB gives it; null images are left out. */
interface Field {
  readonly name: Buffer
  readonly type: number
  readonly take: (event: RawEvent, at: Elements, names: Names) => void
}

/** Texts that come again with every event. */
interface Names {
  readonly operations: Intern<string>
  readonly namespaces: Intern<Namespace>
}

const fields: readonly Field[] = [
  field('_id', DOCUMENT, (event, at) => {
    event.tokenStart = at.valueStart
    event.tokenEnd = at.valueEnd
  }),
  field('operationType', STRING, (event, at, { operations }) => {
    event.operation = operations.of(at.bytes, at.valueStart, at.valueEnd)
  }),
  field('ns', DOCUMENT, (event, at, { namespaces }) => {
    event.namespace = namespaces.of(at.bytes, at.valueStart, at.valueEnd)
  }),
  field('documentKey', DOCUMENT, (event, at) => {
    event.keyStart = at.valueStart
    event.keyEnd = at.valueEnd
  }),
  field('fullDocument', DOCUMENT, (event, at) => {
    event.afterStart = at.valueStart
    event.afterEnd = at.valueEnd
  }),
  field('fullDocumentBeforeChange', DOCUMENT, (event, at) => {
    event.beforeStart = at.valueStart
    event.beforeEnd = at.valueEnd
  }),
  field('wallTime', DATE, (event, at) => {
    event.wallTimeStart = at.valueStart
  }),
  field('clusterTime', TIMESTAMP, (event, at) => {
    event.clusterTimeStart = at.valueStart
  }),
]

function field(name: string, type: number, take: Field['take']): Field {
  return { name: Buffer.from(name), type, take }
}

/** The fields by the length of their names: at most two have the same, so few names are compared. */
const fieldsByLength: readonly (readonly Field[])[] = Array.from({ length: 32 }, (_, length) =>
  fields.filter(({ name }) => name.length === length),
)
const none: readonly Field[] = []
const nowhere: Namespace = { db: '', collection: '' }

/** Reads change events: one walk over each event's top level, without copying. */
export class EnvelopeReader {
  readonly #names: Names = { operations: new Intern(stringAt), namespaces: new Intern(namespaceAt) }

  /** The change event at `bytes[start, end)`. Throws a RangeError where it is none. */
  read(bytes: Buffer, start: number, end: number): RawEvent {
    const event = new RawEvent(bytes, start, end, nowhere)
    const elements = new Elements(bytes, start, end)
    while (elements.next()) {
      for (const { name, type, take } of fieldsByLength[elements.nameEnd - elements.nameStart] ?? none) {
        if (!elements.isNamed(name)) continue
        if (elements.type === type) take(event, elements, this.#names)
        break
      }
    }
    if (event.tokenStart === 0 || event.operation === '') {
      throw new RangeError('change event without resume token or operationType')
    }
    return event
  }
}

/** The text of a BSON string value. */
function stringAt(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start + 4, end - 1)
}

/** The value of `ns`: `{ db, coll }`, or `{ db }` where the event concerns a whole database. */
function namespaceAt(bytes: Buffer, start: number, end: number): Namespace {
  let [db, collection] = ['', '']
  const elements = new Elements(bytes, start, end)
  while (elements.next()) {
    if (elements.type !== STRING) continue
    const name = elements.name()
    if (name === 'db') db = stringAt(bytes, elements.valueStart, elements.valueEnd)
    else if (name === 'coll') collection = stringAt(bytes, elements.valueStart, elements.valueEnd)
  }
  return { db, collection }
}
