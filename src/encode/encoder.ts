import { CanonicalJson, RelaxedJson } from '../bson/extended-json.ts'
import type { JsonTranscoder } from '../bson/json.ts'
import { murmur2, toPositive } from '../bson/murmur2.ts'
import { PlainJson } from '../bson/plain-json.ts'
import { PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { Meter } from '../meter.ts'
import type { EncodedRecord } from '../record.ts'
import { writeChangeEvent } from './change-event.ts'
import { documentOf, writeDocument } from './document.ts'
import type { EncodeOptions, Encoder, ValueFormat } from './encode.ts'
import { headersOf, metadataMember } from './headers.ts'
import { createKeyWriter } from './key.ts'

const transcoders: Readonly<Record<ValueFormat, () => JsonTranscoder>> = {
  json: () => new PlainJson(),
  'extended-json': () => new RelaxedJson(),
  'canonical-json': () => new CanonicalJson(),
}

/**
 * An encoder for one pipeline. Counts `malformed_strings_total{pipeline}`: strings and field names of values with
 * malformed UTF-8, which are written with U+FFFD. Throws Configuration where the options contradict each other.
 */
export function createEncoder(options: EncodeOptions, meter: Meter): Encoder {
  const keys = createKeyWriter(options.key)
  const json = transcoders[options.value.format]()
  const labels = { pipeline: pipelineOf(options.source) }

  function value(event: ChangeEvent): Buffer | null | undefined {
    json.out.reset()
    json.malformedStrings = 0
    if (options.value.shape === 'change-event') {
      writeChangeEvent(json, event, metadata(event))
    } else {
      const document = documentOf(event)
      if (document === undefined) return undefined
      if (document === 'tombstone') return null
      writeDocument(json, document, metadata(event))
    }
    if (json.malformedStrings > 0) meter.count('malformed_strings_total', labels, json.malformedStrings)
    return json.out.take()
  }

  function metadata(event: ChangeEvent): Buffer | undefined {
    return options.headers ? undefined : metadataMember(event, options)
  }

  function records(event: ChangeEvent): EncodedRecord[] {
    const first = value(event)
    if (first === undefined) return []
    const key = keys.key(event)
    const keyHash = toPositive(murmur2(key))
    const record = (bytes: Buffer | null, recordNumber: number): EncodedRecord => ({
      key,
      keyHash,
      value: bytes,
      headers: options.headers ? headersOf(event, options, recordNumber) : {},
      timestampMs: event.timestampMs,
    })
    const tombstone = options.tombstones && event.operation === 'delete' && first !== null
    return tombstone ? [record(first, 0), record(null, 1)] : [record(first, 0)]
  }

  return {
    encode(event) {
      try {
        return records(event)
      } catch (error) {
        if (error instanceof RangeError) throw poison(event, error)
        throw error
      }
    },
  }
}

/** Every part of an encoder says what it cannot write by a RangeError, whose message quotes no contents (G9). */
function poison(event: ChangeEvent, cause: RangeError): PoisonEvent {
  const where = `${event.operation} of ${event.db}.${event.collection} at ${event.position}`
  return new PoisonEvent('EVENT_UNENCODABLE', `${where}: ${cause.message}`, { cause })
}

/** The pipeline in `deployment/pipeline/slot`. */
function pipelineOf(source: string): string {
  return source.split('/')[1] ?? source
}
