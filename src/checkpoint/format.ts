import { crc32 } from 'node:zlib'
import { Configuration } from '../errors.ts'
import { Position, type PositionKind, type StoredPosition } from '../position.ts'
import { type Checkpoint, checkpointFormatVersion } from './checkpoint.ts'

/**
 * A stored checkpoint is one line: CRC-32 of the rest as eight hex digits, a space, the checkpoint as JSON. The sum
 * stands in front and outside, so that any change of any byte is seen whatever JSON makes of it.
 */
export function serializeCheckpoint(checkpoint: Checkpoint): Buffer {
  return sealed(checkpoint)
}

/** `value` as JSON behind its checksum: how everything in a store is written. */
export function sealed(value: object): Buffer {
  const json = Buffer.from(JSON.stringify(value))
  return Buffer.concat([Buffer.from(`${sumOf(json)} `), json])
}

/**
 * `where` names the place in messages: a file, or topic, partition and offset. Throws Configuration
 * CHECKPOINT_CORRUPT or CHECKPOINT_NEWER: what cannot be read is never taken for absent.
 */
export function parseCheckpoint(bytes: Buffer, where: string): Checkpoint {
  const value = unsealed(bytes, checkpointFormatVersion, where)
  const current = fromVersion2(fromVersion1(value))
  const problem = problemOf(current)
  if (problem !== undefined) throw corrupt(where, problem)
  return current as unknown as Checkpoint
}

/** What `sealed` wrote, of a format version up to `newest`. Throws as `parseCheckpoint`. */
export function unsealed(bytes: Buffer, newest: number, where: string): Fields {
  const json = bytes.subarray(9)
  if (bytes.length < 10 || bytes.toString('latin1', 0, 9) !== `${sumOf(json)} `) {
    throw corrupt(where, bytes.length === 0 ? 'it is empty' : 'its checksum is wrong')
  }
  const value = parseJson(json, where)
  const { formatVersion } = value
  if (typeof formatVersion === 'number' && formatVersion > newest) {
    const text = `${where}: format version ${formatVersion}, this release knows up to ${newest}`
    throw new Configuration('CHECKPOINT_NEWER', text)
  }
  return value
}

/** Version 1 was written before targets without transactions were read back: it knows no ends. */
function fromVersion1(value: Fields): Fields {
  if (value.formatVersion !== 1 || Object.hasOwn(value, 'ends')) return value
  return { ...value, formatVersion: 2, ends: {} }
}

/** Version 2 was written before configurations had a revision. */
function fromVersion2(value: Fields): Fields {
  if (value.formatVersion !== 2 || Object.hasOwn(value, 'revision')) return value
  return { ...value, formatVersion: checkpointFormatVersion, revision: 0 }
}

function sumOf(json: Buffer): string {
  return crc32(json).toString(16).padStart(8, '0')
}

export function corrupt(where: string, problem: string, cause?: unknown): Configuration {
  const options = cause === undefined ? undefined : { cause }
  return new Configuration('CHECKPOINT_CORRUPT', `${where}: ${problem}`, options)
}

export type Fields = Readonly<Record<string, unknown>>

function parseJson(json: Buffer, where: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(json.toString())
  } catch (error) {
    throw corrupt(where, 'it is not JSON', error)
  }
  if (!isFields(value)) throw corrupt(where, 'it is not a JSON object')
  return value
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/** Exactly these fields: one more or less was not written by us in this format version. */
const fieldChecks: Readonly<Record<keyof Checkpoint, (value: unknown) => boolean>> = {
  formatVersion: value => value === checkpointFormatVersion,
  deployment: isText,
  pipeline: isText,
  slot: isCount,
  epoch: isCount,
  generation: isCount,
  revision: isCount,
  cluster: isText,
  filterHash: isText,
  position: isPosition,
  partitions: value => isFields(value) && Object.values(value).every(isCount),
  ends: value => isFields(value) && Object.values(value).every(ends => Array.isArray(ends) && ends.every(isCount)),
  savedAtMs: isCount,
}

function problemOf(value: Fields): string | undefined {
  for (const [name, isValid] of Object.entries(fieldChecks)) {
    if (!isValid(value[name])) return `its ${name} is missing or wrong`
  }
  const unknown = Object.keys(value).find(name => !Object.hasOwn(fieldChecks, name))
  return unknown === undefined ? undefined : `it has an unknown field ${JSON.stringify(unknown.slice(0, 50))}`
}

const positionKinds: readonly PositionKind[] = ['event', 'high-water-mark', 'time']

/** A position that can be resumed from: parsed here, so that a broken one is found where it lies. */
export function isPosition(value: unknown): value is StoredPosition {
  if (!isFields(value) || !positionKinds.some(kind => kind === value.kind)) return false
  if (!isText(value.clusterTime) || !(value.token === null || isText(value.token))) return false
  try {
    Position.parse(value as unknown as StoredPosition)
    return true
  } catch {
    return false
  }
}
