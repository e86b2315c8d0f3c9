import { Configuration } from '../errors.ts'
import type { OutRecord } from '../record.ts'

const openBrace = 0x7b
const closeBrace = 0x7d
const emptyObjectBytes = 2

/**
 * The value of `record` with its headers inside, for targets that have none: the first member of the JSON object is
 * `"m2k":{"op","source","position","ts","doc"}`, the position in lower-case hex, which orders as its bytes do. Of a
 * tombstone it makes an object with no other member, for services without null values.
 *
 * First, so that readers find it without parsing the rest; should a document have a field of that name, most JSON
 * readers keep the last, which is the user's.
 */
export function wovenValue({ headers, value }: Pick<OutRecord, 'headers' | 'value'>): Buffer {
  const position = headers['m2k.position']
  const metadata = {
    op: String(headers['m2k.op'] ?? ''),
    source: String(headers['m2k.source'] ?? ''),
    position: Buffer.isBuffer(position) ? position.toString('hex') : '',
    ts: Number(headers['m2k.ts'] ?? 0),
    doc: String(headers['m2k.doc'] ?? ''),
  }
  const head = `{"m2k":${JSON.stringify(metadata)}`
  if (value === null || value.length === emptyObjectBytes) return Buffer.from(`${head}}`)
  if (value[0] !== openBrace || value.at(-1) !== closeBrace) {
    throw new Configuration('CONFIG_INVALID', 'where the target has no headers, values are JSON objects only')
  }
  return Buffer.concat([Buffer.from(`${head},`), value.subarray(1)])
}

/** What a message of ours says about itself; `position` are the bytes of header m2k.position. */
export interface Woven {
  readonly source: string
  readonly position: Buffer
}

/** Where it stands in a value of `wovenValue`; more than 4 KiB it never is. */
const headLimitBytes = 4_096
const pattern = /^\{"m2k":\{"op":"[^"\\]*","source":"((?:[^"\\]|\\.)*)","position":"((?:[0-9a-f]{2})+)","ts":/

/** undefined where the message is somebody else's. */
export function readWoven(value: Buffer): Woven | undefined {
  const match = pattern.exec(value.toString('utf8', 0, headLimitBytes))
  if (match === null) return undefined
  const [, source = '', position = ''] = match
  return { source: JSON.parse(`"${source}"`) as string, position: Buffer.from(position, 'hex') }
}
