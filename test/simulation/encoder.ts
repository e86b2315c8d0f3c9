import type { Encoder } from '../../src/encode/encode.ts'
import { MetadataWriter, type Origin } from '../../src/encode/headers.ts'
import type { RecordBlock, RecordBlocks } from '../../src/encode/record-block.ts'
import type { ChangeEvent } from '../../src/event.ts'

const noHeaders = Buffer.of(0)

/**
 * A change's number as its value. Blocks are used again as in the daemon, so that a loop which keeps one too long is
 * caught. `origin`: the records carry the product's headers, which cost as much as the rest.
 */
export function simulatedEncoder(blocks: RecordBlocks, origin?: Origin): Encoder {
  const metadata = origin && new MetadataWriter(origin)
  let block: RecordBlock
  const encode = (event: ChangeEvent): void => {
    const { collection, timestampMs } = event
    block.out.text(collection)
    block.endKey(collection.charCodeAt(1) >> 1) // Slots and partitions cross.
    block.out.text(String(timestampMs))
    block.endValue(false)
    if (metadata) metadata.headers(block.out, event, 0)
    else block.out.copy(noHeaders, 0, 1)
    block.endRecord(timestampMs)
  }
  return {
    begin() {
      block = blocks.take()
      return block
    },
    encode,
    encodeDeadLetter: encode,
  }
}
