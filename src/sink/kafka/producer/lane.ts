import type { Fault } from '../../../errors.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { QueuedBatch } from './queued-batch.ts'

/** The producer of a lane, as those who carry its batches see it. */
export interface LaneOwner {
  /** Its batches are in transactions of that id, and alone in their requests; undefined: they are in none. */
  readonly transactionalId: string | undefined
  /** Whether the batch, whose turn in its lane it is, may go now. If not, the lane is offered when it may. */
  admits(lane: Lane, batch: QueuedBatch): boolean
  /** Gives a batch its sequence number and its bytes; they may come later, with `offer`. */
  seal(lane: Lane, batch: QueuedBatch): void
  /** The batch is on the wire from now on. */
  sent(batch: QueuedBatch): void
  /**
   * The answer to a batch, by Kafka's error code. `networkException`: its connection is closed. `rejected`: indexes of
   * the records to blame, where the broker names them.
   */
  answered(lane: Lane, batch: QueuedBatch, errorCode: number, rejected: readonly number[]): void
  /** The broker of some of its batches asked for a pause. */
  throttled(throttleMs: number): void
  /** The producer cannot go on. */
  fail(fault: Fault): void
}

/** The batches of one producer for one partition, and where they wait. */
export class Lane {
  readonly owner: LaneOwner
  readonly topic: string
  readonly partition: number
  /** Topic and partition as one word. */
  readonly name: string
  readonly queue: PartitionQueue
  /** Size of the newest batch when it was closed: the next one will likely be as large. */
  lastBatchBytes = 0
  /** Of the broker to whose pipe it was added last; fixed while something is on the wire. undefined: none yet. */
  nodeId: number | undefined
  /** Waits for a leader, or for its back-off to pass. */
  waits = false
  restUntilMs = 0
  /** Among the failures since the last rewind is one that says that its leader may be another broker. */
  asksLeader = false
  /** Why it was rewound last, for people. */
  trouble: string | undefined

  constructor(owner: LaneOwner, topic: string, partition: number, queue: PartitionQueue) {
    this.owner = owner
    this.topic = topic
    this.partition = partition
    this.name = `${topic}/${partition}`
    this.queue = queue
  }

  /** The batch whose turn on the wire it is, in whatever state; undefined while none may go. */
  next(): QueuedBatch | undefined {
    const batch = this.queue.next()
    return batch !== undefined && this.owner.admits(this, batch) ? batch : undefined
  }

  /** The batch whose turn it is, closed and sealed; undefined where none may go or its bytes are not there yet. */
  takeSealed(): QueuedBatch | undefined {
    const batch = this.next()
    if (batch === undefined) return undefined
    if (batch.state === 'open' || batch.state === 'closed') this.owner.seal(this, batch)
    if (batch.state === 'sealed') return batch
    // It is compressed in the thread pool: meanwhile the ones behind it can be, too.
    for (let next = this.queue.nextToSeal(); next !== undefined; next = this.queue.nextToSeal()) {
      this.owner.seal(this, next)
    }
    return undefined
  }
}
