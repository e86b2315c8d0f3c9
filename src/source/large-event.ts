import { BSON, MongoServerError } from 'mongodb'
import { PoisonEvent } from '../errors.ts'
import { Position } from '../position.ts'
import type { RawEvent } from './raw-event.ts'

/** A change event that MongoDB cannot send: with its images it is larger than a BSON document may be. */
export interface LargeEvent {
  /** `_data` of its resume token. */
  readonly data: string
  readonly position: Position
}

const tooLargeCode = 10334 // BSONObjectTooLarge
/** The only thing that MongoDB says of the event. No field of the error has it, so the text is read here, and only here. */
const firstElement = /First element: _id: \{ _data: "([0-9A-F]+)"/
/** What is left of a large event: where it is, what it was, and which document it concerns. */
const keptFields = ['_id', 'operationType', 'clusterTime', 'wallTime', 'ns', 'documentKey']

/** The event that a getMore failed at; undefined where the error is another, or does not name it. */
export function largeEventOf(error: unknown): LargeEvent | undefined {
  if (!(error instanceof MongoServerError) || error.code !== tooLargeCode) return undefined
  const data = firstElement.exec(error.message)?.[1]
  if (data === undefined) return undefined
  try {
    return { data, position: Position.ofToken(Buffer.from(BSON.serialize({ _data: data }))) }
  } catch {
    return undefined // Cut off by MongoDB: a token can be megabytes itself, as it holds the document's key.
  }
}

/** The last stage of a change stream that passes all events as they are, but these without their documents. */
export function slimmed(events: readonly LargeEvent[]): Readonly<Record<string, unknown>> {
  const slim = Object.fromEntries(keptFields.map(name => [name, `$${name}`]))
  const isOne = { $in: ['$_id._data', events.map(({ data }) => data)] }
  return { $replaceWith: { $cond: [isOne, slim, '$$ROOT'] } }
}

/** `events` of a stream that was slimmed: those of `large` say that they cannot pass. */
export function marked(events: readonly RawEvent[], large: readonly LargeEvent[]): RawEvent[] {
  return events.map(event => {
    const { position } = event
    return large.some(each => each.position.compare(position) === 0) ? event.poisoned(tooLarge(event)) : event
  })
}

function tooLarge({ operation, db, collection, position }: RawEvent): PoisonEvent {
  const where = `${operation} of ${db}.${collection} at ${position}`
  const message = `${where}: the change event is larger than 16 MB, and MongoDB does not send such`
  return new PoisonEvent('SOURCE_EVENT_TOO_LARGE', message)
}
