import { FairRing } from './fair-ring.ts'
import type { Lane, LaneOwner } from './lane.ts'

/**
 * The lanes of one broker whose next batch may go, one of each producer in turn.
 *
 * Where many producers write to one partition, as all pipelines do to that of their checkpoints, only one of their
 * lanes fits into a request. The others are put behind it, and one of them comes back for each further request: to
 * look at all of them every time would take a hundred times as long with a hundred pipelines.
 */
export class ReadyLanes {
  readonly #ring = new FairRing<LaneOwner, Lane>()
  /** By partition, in the order of their coming. */
  readonly #behind = new Map<string, Set<Lane>>()

  get isEmpty(): boolean {
    return this.#ring.isEmpty && this.#behind.size === 0
  }

  /** The lane whose turn it is. */
  get first(): Lane | undefined {
    return this.#ring.first
  }

  has(lane: Lane): boolean {
    return this.#ring.has(lane.owner, lane) || this.#behind.get(lane.name)?.has(lane) === true
  }

  add(lane: Lane): void {
    if (this.has(lane)) return
    // Whoever waits for the partition already comes first: a busy producer would be back before it again and again.
    const behind = this.#behind.get(lane.name)
    if (behind === undefined) this.#ring.add(lane.owner, lane)
    else behind.add(lane)
  }

  /** Takes out `lane`, which had its turn; the next turn is that of the next producer. */
  take(lane: Lane): void {
    // Its producer may have ended in its turn, and then it is not here any more.
    if (this.#ring.first === lane) this.#ring.take()
  }

  /** The lane whose turn it is finds its partition taken: it waits for a further request. */
  putBehind(): void {
    const lane = this.#ring.take()
    if (lane === undefined) return
    const lanes = this.#behind.get(lane.name)
    if (lanes === undefined) this.#behind.set(lane.name, new Set([lane]))
    else lanes.add(lane)
  }

  /** Another request: of each partition one of the lanes that were put behind comes back. */
  bringBack(): void {
    for (const [name, lanes] of this.#behind) {
      const [lane] = lanes
      if (lanes.size <= 1) this.#behind.delete(name)
      if (lane === undefined) continue
      lanes.delete(lane)
      this.#ring.add(lane.owner, lane)
    }
  }

  /** Removes a lane without its having had its turn. */
  remove(lane: Lane): void {
    this.#ring.remove(lane.owner, lane)
    const lanes = this.#behind.get(lane.name)
    if (lanes?.delete(lane) && lanes.size === 0) this.#behind.delete(lane.name)
  }

  /** All of them, in no order. */
  get all(): Lane[] {
    return [...this.#ring.all, ...[...this.#behind.values()].flatMap(behind => [...behind])]
  }

  /** Removes all. */
  clear(): Lane[] {
    const lanes = this.all
    this.#ring.clear()
    this.#behind.clear()
    return lanes
  }
}
