import { DATE, DOCUMENT, STRING, TIMESTAMP } from '../bson/types.ts'
import { Elements } from '../bson/walk.ts'
import { PoisonEvent } from '../errors.ts'
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
/** What a broken event is called that does not say what happened. */
const unknownOperation = 'unknown'

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
  /** Of the event in hand, as far as it was read. */
  #operation = ''
  #namespace = nowhere

  /**
   * The change event at `bytes[start, end)`, its offsets in a new row of `offsets`. One that can be read only so far that
   * its place and its namespace are known is poisoned: whose it is can be told, and so one pipeline need not stop the
   * others. Throws a RangeError where not even that is known.
   */
  read(bytes: Buffer, start: number, end: number, offsets = new EventOffsets(1)): RawEvent {
    const { cells } = offsets
    const row = offsets.addRow()
    cells[row + COLUMNS.event] = start
    cells[row + COLUMNS.event + 1] = end
    try {
      this.#walk(bytes, cells, row)
      return new RawEvent(bytes, cells, row, this.#operation, this.#namespace)
    } catch (error) {
      if (!(error instanceof RangeError) || cells[row + COLUMNS.token] === 0 || this.#namespace === nowhere) throw error
      const event = new RawEvent(bytes, cells, row, this.#operation || unknownOperation, this.#namespace)
      return event.poisoned(unreadable(event, error))
    }
  }

  #walk(bytes: Buffer, cells: Int32Array, row: number): void {
    this.#operation = ''
    this.#namespace = nowhere
    const elements = this.#elements
    elements.reset(bytes, cells[row + COLUMNS.event]!, cells[row + COLUMNS.event + 1]!)
    while (elements.next()) {
      const found = fieldAt(elements)
      if (found === undefined || found.type !== elements.type) continue
      const { into } = found
      const { valueStart, valueEnd } = elements
      if (into === 'operation') this.#operation = this.#operations.of(bytes, valueStart, valueEnd)
      else if (into === 'namespace') this.#namespace = this.#namespaces.of(bytes, valueStart, valueEnd)
      else {
        cells[row + into] = valueStart
        cells[row + into + 1] = valueEnd
      }
    }
    if (cells[row + COLUMNS.token] === 0 || this.#operation === '') {
      throw new RangeError('change event without resume token or operationType')
    }
  }
}

/** Throws a RangeError where the resume token is none. */
function unreadable({ operation, db, collection, position }: RawEvent, cause: RangeError): PoisonEvent {
  const where = `${operation} of ${db}.${collection} at ${position}`
  return new PoisonEvent('EVENT_UNREADABLE', `${where}: ${cause.message}`, { cause })
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
