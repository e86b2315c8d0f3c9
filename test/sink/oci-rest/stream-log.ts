import { createHash } from 'node:crypto'

/** Why one message of a request is refused; undefined: it is stored. */
export type Fate = { readonly error: string; readonly errorMessage: string } | undefined

/** As GetMessages gives it: key and value in base64. */
export interface Stored {
  readonly key: string | null
  readonly value: string
  readonly offset: number
  readonly timestampMs: number
}

interface Given {
  readonly key: string | null
  readonly value: string
}

const requestLimitBytes = 1 << 20
const keyLimitBytes = 256

/** The partitions of one stream. The service's hash of a key is not published; this one is none that we compute. */
export class StreamLog {
  readonly name: string
  readonly partitions: Stored[][]

  constructor(name: string, partitions: number) {
    this.name = name
    this.partitions = Array.from({ length: partitions }, () => [])
  }

  /** What the published limits say against a request: sizes before base64. */
  problemOf(messages: readonly Given[]): string | undefined {
    const bytes = (text: string | null) => Buffer.from(text ?? '', 'base64').length
    if (messages.some(({ key }) => bytes(key) > keyLimitBytes)) return 'a key is too long'
    const size = messages.reduce((sum, { key, value }) => sum + bytes(key) + bytes(value), 0)
    return size > requestLimitBytes ? 'the request is too large' : undefined
  }

  /** Stores what is not refused; the results are in the order of the messages. */
  append(messages: readonly Given[], fateOf: (key: string) => Fate, nowMs: number) {
    return messages.map(({ key, value }) => {
      const fate = fateOf(Buffer.from(key ?? '', 'base64').toString())
      if (fate) return { partition: null, offset: null, timestamp: null, ...fate }
      const partition =
        createHash('md5')
          .update(key ?? '')
          .digest()
          .readUInt32LE() % this.partitions.length
      const log = this.partitions[partition]!
      const offset = log.length
      log.push({ key, value, offset, timestampMs: nowMs })
      const timestamp = new Date(nowMs).toISOString()
      return { partition: String(partition), offset, timestamp, error: null, errorMessage: null }
    })
  }

  /** Where a cursor begins; undefined for what is not valid. */
  offsetOf(partition: number, type: string, time?: string, offset?: string): number | undefined {
    const log = this.partitions[partition]
    if (log === undefined) return undefined
    if (type === 'TRIM_HORIZON') return 0
    if (type === 'LATEST') return log.length
    if (type === 'AT_OFFSET') return Number(offset)
    if (type === 'AFTER_OFFSET') return Number(offset) + 1
    if (type !== 'AT_TIME' || time === undefined || Number.isNaN(Date.parse(time))) return undefined
    const found = log.findIndex(({ timestampMs }) => timestampMs >= Date.parse(time))
    return found < 0 ? log.length : found
  }
}
