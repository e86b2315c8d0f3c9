const NOTHING = Buffer.alloc(0)
/** The last two buffers and their views, the latest first. */
let bytes1: Buffer = NOTHING
let bytes2: Buffer = NOTHING
let view1: DataView = new DataView(NOTHING.buffer, NOTHING.byteOffset, 0)
let view2: DataView = view1

/**
 * A view of `bytes`, for reading four bytes at a time. Making one costs as much as writing two fields, so two are
 * kept: the events of a batch lie in one buffer, the documents that a lookup found in another.
 */
export function viewOf(bytes: Buffer): DataView {
  if (bytes === bytes1) return view1
  const view = bytes === bytes2 ? view2 : new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  bytes2 = bytes1
  view2 = view1
  bytes1 = bytes
  view1 = view
  return view
}
