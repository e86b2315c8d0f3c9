import { CanonicalJson, RelaxedJson } from '../bson/extended-json.ts'
import type { JsonTranscoder } from '../bson/json.ts'
import { murmur2, toPositive } from '../bson/murmur2.ts'
import { PlainJson } from '../bson/plain-json.ts'
import type { ByteWriter } from '../bson/writer.ts'
import { PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { Meter } from '../meter.ts'
import { writeChangeEvent } from './change-event.ts'
import { documentOf, writeDocument } from './document.ts'
import type { EncodeOptions, Encoder, ValueFormat } from './encode.ts'
import { MetadataWriter } from './headers.ts'
import { createKeyWriter } from './key.ts'
import type { RecordBlock, RecordBlocks } from './record-block.ts'

const transcoders: Readonly<Record<ValueFormat, () => JsonTranscoder>> = {
  json: () => new PlainJson(),
  'extended-json': () => new RelaxedJson(),
  'canonical-json': () => new CanonicalJson(),
}

/**
 * An encoder for one pipeline; `blocks` may be shared with others. Counts `malformed_strings_total{pipeline}`: strings and field names of values with
 * malformed UTF-8, which are written with U+FFFD. Throws Configuration where the options contradict each other.
 */
export function createEncoder(options: EncodeOptions, meter: Meter, blocks: RecordBlocks): Encoder {
  const keys = createKeyWriter(options.key)
  const json = transcoders[options.value.format]()
  const metadata = new MetadataWriter(options)
  const { shape } = options.value
  let block: RecordBlock
  const labels = { pipeline: pipelineOf(options.source) }

  /** Appends the value; 'nothing' where the event gives no record. */
  function writeValue(out: ByteWriter, event: ChangeEvent): 'value' | 'tombstone' | 'nothing' {
    json.out = out
    json.malformedStrings = 0
    if (shape === 'change-event') {
      writeChangeEvent(json, event, member(event))
    } else {
      const document = documentOf(event)
      if (document === undefined) return 'nothing'
      if (document === 'tombstone') return 'tombstone'
      writeDocument(json, document, member(event))
    }
    if (json.malformedStrings > 0) meter.count('malformed_strings_total', labels, json.malformedStrings)
    return 'value'
  }

  function member(event: ChangeEvent): Buffer | undefined {
    return options.headers ? undefined : metadata.member(event)
  }

  function endRecord(event: ChangeEvent, isTombstone: boolean, recordNumber: number): void {
    block.endValue(isTombstone)
    if (options.headers) metadata.headers(block.out, event, recordNumber)
    else block.out.byte(0) // No headers: their number.
    block.endRecord(event.timestampMs)
  }

  function writeRecords(event: ChangeEvent): void {
    const { out } = block
    const keyStart = out.length
    out.ensure(0)
    keys.write(out, event)
    const keyEnd = out.length
    const keyHash = toPositive(murmur2(out.bytes, keyStart, keyEnd))
    block.endKey(keyHash)
    const written = writeValue(out, event)
    if (written === 'nothing') {
      out.length = keyStart
      return
    }
    out.ensure(1)
    endRecord(event, written === 'tombstone', 0)
    if (!options.tombstones || event.operation !== 'delete' || written === 'tombstone') return
    out.ensure(keyEnd - keyStart)
    out.copy(out.bytes, keyStart, keyEnd)
    block.endKey(keyHash)
    endRecord(event, true, 1)
  }

  return {
    begin() {
      block = blocks.take()
      return block
    },
    encode(event) {
      try {
        writeRecords(event)
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
