import { createHash } from 'node:crypto'
import { CanonicalJson } from '../bson/extended-json.ts'
import type { ByteWriter } from '../bson/writer.ts'
import type { PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import { Position } from '../position.ts'

/** Longer keys are replaced: what is too large may be so by its key, and OCI Streaming takes no longer ones. */
export const keyLimitBytes = 256
/** The value that the event would have had; larger ones are left out. */
export const valueLimitBytes = 256 << 10
const documentKeyLimitBytes = 16 << 10
/** A resume token holds the document's key. */
const tokenLimitBytes = 16 << 10
const messageLimit = 1_000

const json = new CanonicalJson()

/** The key of a dead letter whose event has none that can be used: the same for the same event, and no document's. */
export function writePositionKey(out: ByteWriter, { position }: ChangeEvent): void {
  out.text(`{"$position":"${createHash('sha256').update(position.sortKey).digest('hex')}"}`)
}

/**
 * Appends the value of a dead letter: a JSON object that is small whatever the event is, and that nothing in the event
 * can keep from being written. `writeValue` appends the value that the event would have had, and throws a RangeError
 * where it has none.
 */
export function writeDeadLetter(
  out: ByteWriter,
  event: ChangeEvent,
  why: PoisonEvent,
  writeValue: (() => void) | undefined,
): void {
  const { db, collection, operation, position, timestampMs, documentKey } = event
  const found =
    position.token && position.token.length > tokenLimitBytes ? Position.ofTime(position.clusterTime) : position
  const { reason, code } = why
  const message = why.message.slice(0, messageLimit)
  const facts = { reason, code, message, db, collection, operation, timestampMs, position: found.toJSON() }
  write(out, JSON.stringify(facts).slice(0, -1))
  if (documentKey !== undefined) {
    const { bytes, start, end } = documentKey
    json.out = out
    writeMember(out, 'documentKey', documentKeyLimitBytes, () => json.document(bytes, start, end))
  }
  if (writeValue !== undefined) writeMember(out, 'value', valueLimitBytes, writeValue)
  write(out, '}')
}

/** Leaves the member out where it cannot be written, or is larger than `limitBytes`. */
function writeMember(out: ByteWriter, name: string, limitBytes: number, writeValue: () => void): void {
  const start = out.length
  write(out, `,"${name}":`)
  const valueStart = out.length
  if (written(writeValue) && out.length - valueStart <= limitBytes) return
  out.length = start
}

/** Every part of an encoder says what it cannot write by a RangeError. */
export function written(write: () => void): boolean {
  try {
    write()
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

function write(out: ByteWriter, text: string): void {
  const bytes = Buffer.from(text)
  out.copy(bytes, 0, bytes.length)
}
