import type { RecordBatch } from '../record-batch/record-batch.ts'
import type { Call } from './call.ts'

/**
 * | state   | the batch                                                 | next                                       |
 * |---------|-----------------------------------------------------------|--------------------------------------------|
 * | open    | takes records; the last of its queue                      | closed: full, or its turn has come         |
 * | closed  | takes no more                                             | sealing                                    |
 * | sealing | has its sequence number; may be compressed in the threads | sealed                                     |
 * | sealed  | has its bytes, for ever                                   | sent, when its turn has come               |
 * | sent    | is on the wire                                            | failed; or gone: acknowledged or given up  |
 * | failed  | was refused for now, or its connection is gone            | sealed, once no batch of the queue is sent |
 */
export type BatchState = 'open' | 'closed' | 'sealing' | 'sealed' | 'sent' | 'failed'

/** A record batch from its first record to its acknowledgement. */
export class QueuedBatch {
  readonly records: RecordBatch
  /** What the finished batch may have. */
  readonly limitBytes: number
  readonly beganMs: number
  /** Whose records are in it, in order. */
  readonly calls: Call[] = []
  state: BatchState = 'open'
  /** Sequence number of the first record, -1 before the batch is sealed. */
  baseSequence = -1
  /** Time of its newest record, milliseconds since the Unix epoch. */
  newestMs = 0
  /** How often it went on the wire. */
  sends = 0
  /** What of it the producer has counted as queued. */
  countedBytes = 0
  /** Whose end waits for it; undefined: of a producer without transactions. */
  transaction: { openBatches: number } | undefined

  constructor(records: RecordBatch, limitBytes: number, beganMs: number) {
    this.records = records
    this.limitBytes = limitBytes
    this.beganMs = beganMs
  }
}
