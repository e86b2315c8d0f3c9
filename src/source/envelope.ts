import { DATE, DOCUMENT, STRING, TIMESTAMP } from '../bson/types.ts'
import { Elements } from '../bson/walk.ts'
import { Intern } from './intern.ts'
import { COLUMNS, type Column, EventOffsets, type Namespace, RawEvent } from './raw-event.ts'

/** A field of an event that we take, where it has the type that MongoDB gives it; null images are left out. */
interface Field {
  readonly name: Buffer
  readonly type: number
  /** Where its place is noted, or what is made of it. */
  readonly into: Column | 'operation' | 'namespace'
}

const fields: readonly Field[] = [
  field('_id', DOCUMENT, COLUMNS.token),
  field('operationType', STRING, 'operation'),
  field('ns', DOCUMENT, 'namespace'),
  field('documentKey', DOCUMENT, COLUMNS.key),
  field('fullDocument', DOCUMENT, COLUMNS.after),
  field('fullDocumentBeforeChange', DOCUMENT, COLUMNS.before),
  field('wallTime', DATE, COLUMNS.wallTime),
  field('clusterTime', TIMESTAMP, COLUMNS.clusterTime),
]

function field(name: string, type: number, into: Field['into']): Field {
  return { name: Buffer.from(name), type, into }
}

/** The fields by the length of their names: at most two have the same, so few names are compared. */
const fieldsByLength: readonly (readonly Field[])[] = Array.from({ length: 32 }, (_, length) =>
  fields.filter(({ name }) => name.length === length),
)
const none: readonly Field[] = []
const nothing = Buffer.from([5, 0, 0, 0, 0])
const nowhere: Namespace = { db: '', collection: '' }

/** The field that `elements` stands at; undefined where it is none of ours. By index: iterators would be garbage. */
function fieldAt(elements: Elements): Field | undefined {
  const candidates = fieldsByLength[elements.nameEnd - elements.nameStart] ?? none
  for (let i = 0; i < candidates.length; i++) if (elements.isNamed(candidates[i]!.name)) return candidates[i]
  return undefined
}

/** Reads change events: one walk over each event's top level, without copying. */
export class EnvelopeReader {
  /** Texts that come again with every event. */
  readonly #operations = new Intern(stringAt)
  readonly #namespaces = new Intern(namespaceAt)
  /** One for all events: a backlog is read fast enough for a walker an event to be a tenth of all garbage. */
  readonly #elements = new Elements(nothing, 0, nothing.length)

  /** The change event at `bytes[start, end)`, its offsets in a new row of `offsets`. Throws a RangeError where it is none. */
  read(bytes: Buffer, start: number, end: number, offsets = new EventOffsets(1)): RawEvent {
    const { cells } = offsets
    const row = offsets.addRow()
    cells[row + COLUMNS.event] = start
    cells[row + COLUMNS.event + 1] = end
    let operation = ''
    let namespace = nowhere
    const elements = this.#elements
    elements.reset(bytes, start, end)
    while (elements.next()) {
      const found = fieldAt(elements)
      if (found === undefined || found.type !== elements.type) continue
      const { into } = found
      const { valueStart, valueEnd } = elements
      if (into === 'operation') operation = this.#operations.of(bytes, valueStart, valueEnd)
      else if (into === 'namespace') namespace = this.#namespaces.of(bytes, valueStart, valueEnd)
      else {
        cells[row + into] = valueStart
        cells[row + into + 1] = valueEnd
      }
    }
    if (cells[row + COLUMNS.token] === 0 || operation === '') {
      throw new RangeError('change event without resume token or operationType')
    }
    return new RawEvent(bytes, cells, row, operation, namespace)
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
