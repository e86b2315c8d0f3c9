import { Lane, type LaneOwner } from './lane.ts'
import type { PartitionQueue } from './partition-queue.ts'

/** The lanes of one producer, by topic and partition. */
export class Lanes {
  readonly #owner: LaneOwner
  readonly #createQueue: () => PartitionQueue
  readonly #byTopic = new Map<string, Lane[]>()

  constructor(owner: LaneOwner, createQueue: () => PartitionQueue) {
    this.#owner = owner
    this.#createQueue = createQueue
  }

  /** The lane of that partition, made when it is first asked for. */
  at(topic: string, partition: number): Lane {
    let lanes = this.#byTopic.get(topic)
    if (lanes === undefined) {
      lanes = []
      this.#byTopic.set(topic, lanes)
    }
    let lane = lanes[partition]
    if (lane === undefined) {
      lane = new Lane(this.#owner, topic, partition, this.#createQueue())
      lanes[partition] = lane
    }
    return lane
  }

  *all(): Generator<Lane> {
    for (const lanes of this.#byTopic.values()) for (const lane of lanes) if (lane !== undefined) yield lane
  }

  clear(): void {
    this.#byTopic.clear()
  }
}
