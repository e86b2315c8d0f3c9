import { Elements, int32At } from '../bson/walk.ts'

/** A change-stream cursor's answer, as views on the raw reply. */
export interface CursorReply {
  /** 0: the server has closed the cursor. */
  readonly cursorId: bigint
  readonly bytes: Buffer
  /** Where in `bytes` each event begins. */
  readonly eventStarts: readonly number[]
  /** Raw BSON of the resume token that is valid after this batch, events or none. */
  readonly postBatchToken: Buffer | undefined
}

const idName = Buffer.from('id')
const firstBatchName = Buffer.from('firstBatch')
const nextBatchName = Buffer.from('nextBatch')
const tokenName = Buffer.from('postBatchResumeToken')

/** Reads the `cursor` document of an aggregate or getMore reply. Throws a RangeError where it is malformed. */
export function parseReply(bytes: Buffer): CursorReply {
  let cursorId = 0n
  let eventStarts: number[] = []
  let postBatchToken: Buffer | undefined
  const elements = new Elements(bytes, 0, bytes.length)
  while (elements.next()) {
    if (elements.isNamed(idName)) cursorId = bytes.readBigInt64LE(elements.valueStart)
    else if (elements.isNamed(nextBatchName) || elements.isNamed(firstBatchName)) {
      eventStarts = documentStarts(bytes, elements.valueStart, elements.valueEnd)
    } else if (elements.isNamed(tokenName)) {
      postBatchToken = bytes.subarray(elements.valueStart, elements.valueEnd)
    }
  }
  return { cursorId, bytes, eventStarts, postBatchToken }
}

function documentStarts(bytes: Buffer, start: number, end: number): number[] {
  const starts: number[] = []
  const elements = new Elements(bytes, start, end)
  while (elements.next()) starts.push(elements.valueStart)
  return starts
}

/** Offset behind the document that starts at `start`. */
export function endOf(bytes: Buffer, start: number): number {
  return start + int32At(bytes, start)
}
