import { KeyJson } from './key.ts'
import { murmur2, toPositive } from './murmur2.ts'
import { Elements } from './walk.ts'

const idName = Buffer.from('_id')
const noHash = 0

/** One for all: hashing is synchronous, so nobody else writes between `reset` and the hash. */
const json = new KeyJson()

/**
 * The hash that slots are made of: murmur2 over the canonical key bytes of `_id` in the documentKey `bytes[start, end)`,
 * without its sign (Kafka's toPositive). Ids that MongoDB holds for equal have the same hash, whatever their types. 0
 * where there is no `_id` or it has no canonical form: such an event is for slot 0, which then says what is wrong.
 */
export function slotHash(bytes: Buffer, start: number, end: number): number {
  json.out.reset()
  try {
    if (!writeId(bytes, start, end)) return noHash
  } catch (error) {
    if (error instanceof RangeError) return noHash
    throw error
  }
  return toPositive(murmur2(json.out.bytes, 0, json.out.length))
}

/** The slot, of `count`, of the document whose documentKey is `bytes[start, end)`. */
export function slotOf(bytes: Buffer, start: number, end: number, count: number): number {
  return slotHash(bytes, start, end) % count
}

/** False where there is none. Throws a RangeError where it has no canonical form. */
function writeId(bytes: Buffer, start: number, end: number): boolean {
  const name = start + 5
  // Where the collection is not sharded by something else, `_id` is the first field: nothing need be made to find it.
  if (bytes[name] === 0x5f && bytes[name + 1] === 0x69 && bytes[name + 2] === 0x64 && bytes[name + 3] === 0) {
    json.value(bytes[start + 4]!, bytes, name + 4, end - 1)
    return true
  }
  const elements = new Elements(bytes, start, end)
  while (elements.next()) {
    if (!elements.isNamed(idName)) continue
    json.value(elements.type, bytes, elements.valueStart, elements.valueEnd)
    return true
  }
  return false
}
