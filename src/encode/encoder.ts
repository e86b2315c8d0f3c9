import { CanonicalJson, RelaxedJson } from '../bson/extended-json.ts'
import type { JsonTranscoder } from '../bson/json.ts'
import { murmur2, toPositive } from '../bson/murmur2.ts'
import { PlainJson } from '../bson/plain-json.ts'
import type { ByteWriter } from '../bson/writer.ts'
import { PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { Meter } from '../meter.ts'
import { writeChangeEvent } from './change-event.ts'
import { keyLimitBytes, writeDeadLetter, writePositionKey, written } from './dead-letter.ts'
import { documentOf } from './document.ts'
import type { EncodedBlock, EncodeOptions, Encoder, ValueFormat } from './encode.ts'
import { MetadataWriter } from './headers.ts'
import { createKeyWriter, type KeyWriter } from './key.ts'
import type { RecordBlock, RecordBlocks } from './record-block.ts'

const transcoders: Readonly<Record<ValueFormat, () => JsonTranscoder>> = {
  json: () => new PlainJson(),
  'extended-json': () => new RelaxedJson(),
  'canonical-json': () => new CanonicalJson(),
}

/**
 * An encoder for one pipeline; `blocks` may be shared with others. Counts `malformed_strings_total{pipeline}`: strings
 * and field names of values with malformed UTF-8, which are written with U+FFFD. Throws Configuration where the options
 * contradict each other.
 */
export function createEncoder(options: EncodeOptions, meter: Meter, blocks: RecordBlocks): Encoder {
  return new EventEncoder(options, meter, blocks)
}

class EventEncoder implements Encoder {
  readonly #options: EncodeOptions
  readonly #meter: Meter
  readonly #blocks: RecordBlocks
  readonly #keys: KeyWriter
  readonly #json: JsonTranscoder
  readonly #metadata: MetadataWriter
  /** undefined until the first `begin`. */
  #block: RecordBlock | undefined

  constructor(options: EncodeOptions, meter: Meter, blocks: RecordBlocks) {
    this.#options = options
    this.#meter = meter
    this.#blocks = blocks
    this.#keys = createKeyWriter(options.key)
    this.#json = transcoders[options.value.format]()
    this.#metadata = new MetadataWriter(options)
  }

  begin(): EncodedBlock {
    const block = this.#blocks.take()
    this.#block = block
    return block
  }

  encode(event: ChangeEvent): void {
    const block = this.#begun
    try {
      this.#writeRecords(event, block)
    } catch (error) {
      if (error instanceof RangeError) throw poison(event, error)
      throw error
    }
  }

  encodeDeadLetter(event: ChangeEvent, why: PoisonEvent): void {
    const block = this.#begun
    const { out } = block
    const keyStart = out.length
    out.ensure(0)
    if (!written(() => this.#keys.write(out, event)) || out.length - keyStart > keyLimitBytes) {
      out.length = keyStart
      writePositionKey(out, event)
    }
    block.endKey(toPositive(murmur2(out.bytes, keyStart, out.length)))
    writeDeadLetter(out, event, why, why.reason === 'oversize' ? undefined : () => this.#writeOwnValue(event, out))
    this.#endRecord(event, block, false, 0)
  }

  /** Its value for a dead letter. Throws a RangeError where there is none. */
  #writeOwnValue(event: ChangeEvent, out: ByteWriter): void {
    const found = this.#writeValue(event, out)
    if (found === 'nothing') throw new RangeError('no value')
    if (found === 'tombstone') out.text('null')
  }

  get #begun(): RecordBlock {
    if (this.#block === undefined) throw new Error('encode before begin')
    return this.#block
  }

  #writeRecords(event: ChangeEvent, block: RecordBlock): void {
    const { out } = block
    const keyStart = out.length
    out.ensure(0)
    this.#keys.write(out, event)
    const keyEnd = out.length
    const keyHash = toPositive(murmur2(out.bytes, keyStart, keyEnd))
    block.endKey(keyHash)
    const written = this.#writeValue(event, out)
    if (written === 'nothing') {
      out.length = keyStart
      return
    }
    this.#endRecord(event, block, written === 'tombstone', 0)
    if (!this.#options.tombstones || event.operation !== 'delete' || written === 'tombstone') return
    out.ensure(keyEnd - keyStart)
    out.copy(out.bytes, keyStart, keyEnd)
    block.endKey(keyHash)
    this.#endRecord(event, block, true, 1)
  }

  #writeValue(event: ChangeEvent, out: ByteWriter): 'value' | 'tombstone' | 'nothing' {
    const json = this.#json
    json.out = out
    json.malformedStrings = 0
    if (this.#options.value.shape === 'change-event') {
      writeChangeEvent(json, event)
    } else {
      const document = documentOf(event)
      if (document === undefined) return 'nothing'
      if (document === 'tombstone') return 'tombstone'
      json.document(document.bytes, document.start, document.end)
    }
    if (json.malformedStrings > 0) {
      const pipeline = pipelineOf(this.#options.source)
      this.#meter.count('malformed_strings_total', { pipeline }, json.malformedStrings)
    }
    return 'value'
  }

  #endRecord(event: ChangeEvent, block: RecordBlock, isTombstone: boolean, recordNumber: number): void {
    block.endValue(isTombstone)
    block.out.ensure(1)
    this.#metadata.headers(block.out, event, recordNumber)
    block.endRecord(event.timestampMs)
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
