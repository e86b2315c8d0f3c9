import type { Clock } from '../../../clock.ts'
import { type Fault, Retryable } from '../../../errors.ts'
import type { Logger } from '../../../log.ts'
import { backOffMs } from '../../../retry.ts'
import type { Wire } from '../wire.ts'
import { Alarm } from './alarm.ts'
import { BrokerPipe, type PipeSettings } from './broker-pipe.ts'
import type { Lane, LaneOwner } from './lane.ts'
import { LeaderTable } from './leader-table.ts'

/** Before a partition's batches go again. */
const resendBackOff = { initialMs: 100, maxMs: 1_000 }
/** One line about each broker in this time. */
const quietLogMs = 30_000

export interface DispatcherParts {
  /** Belongs to the caller, who disposes it after the dispatcher. */
  readonly wire: Wire
  readonly settings: PipeSettings
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Brings the lanes of all producers of one target to the brokers that lead their partitions. A lane is
 *
 * | place   | when                                   | until                                      |
 * |---------|----------------------------------------|--------------------------------------------|
 * | nowhere | it has nothing that may be sent now    | its producer offers it                     |
 * | a pipe  | its leader is known                    | its batch is on the wire                   |
 * | waiting | its leader is not known                | the leader table has news of the topic     |
 * | resting | its batches failed                     | the back-off has passed                    |
 *
 * A lane that waits or rests holds up no other.
 */
export class Dispatcher implements Disposable {
  readonly #parts: DispatcherParts
  readonly #closing = new AbortController()
  readonly #pipes = new Map<number, BrokerPipe>()
  readonly #leaders: LeaderTable
  readonly #leaderless = new Map<string, Set<Lane>>()
  readonly #resting = new Set<Lane>()
  readonly #alarm: Alarm
  readonly #loggedMs = new Map<number, number>()

  constructor(parts: DispatcherParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.clock, () => this.#wake())
    this.#leaders = new LeaderTable({
      wire: parts.wire,
      clock: parts.clock,
      signal: this.#closing.signal,
      onNews: topic => {
        for (const [nodeId, pipe] of this.#pipes)
          pipe.leftBy(lane => lane.topic === topic && this.#isLeft(lane, nodeId))
        this.#leave(topic, lane => this.offer(lane))
      },
      onFault: (topic, fault) => this.#leave(topic, lane => lane.owner.fail(fault)),
    })
  }

  /** The lane may have something to send. */
  offer(lane: Lane): void {
    if (lane.waits || lane.next() === undefined) return
    if (lane.queue.inFlight === 0) {
      const nodeId = this.#leaders.leaderOf(lane.topic, lane.partition)
      if (nodeId !== lane.nodeId) {
        this.#pipeOf(lane)?.remove(lane)
        lane.queue.doubt()
      }
      lane.nodeId = nodeId
    }
    const pipe = this.#pipeOf(lane)
    if (pipe === undefined) this.#awaitLeader(lane)
    else pipe.add(lane)
  }

  /** The lane was rewound. */
  again(lane: Lane): void {
    const { asksLeader } = lane
    const attempt = lane.queue.rewinds
    lane.asksLeader = false
    if (asksLeader) this.#leaders.forget(lane.topic, lane.partition)
    // A new leader is mostly there by the time the old one says so.
    if (asksLeader && attempt === 1) this.offer(lane)
    else this.#rest(lane, attempt)
  }

  /** Forgets the lane, but for what is on the wire. */
  withdraw(lane: Lane): void {
    this.#pipeOf(lane)?.remove(lane)
    this.#leaderless.get(lane.topic)?.delete(lane)
    this.#resting.delete(lane)
    lane.waits = false
  }

  /** Closes the connections that carry something of `owner`; what others have on them is sent again. */
  cut(owner: LaneOwner): void {
    for (const pipe of this.#pipes.values()) pipe.cut(owner)
  }

  /** Closes all connections. The producers were disposed before. */
  [Symbol.dispose](): void {
    this.#closing.abort()
    this.#alarm.stop()
    this.#leaders.close()
    for (const pipe of this.#pipes.values()) pipe.close()
  }

  #pipeOf(lane: Lane): BrokerPipe | undefined {
    const { nodeId } = lane
    if (nodeId === undefined) return undefined
    const known = this.#pipes.get(nodeId)
    if (known !== undefined) return known
    const pipe = new BrokerPipe({
      nodeId,
      wire: this.#parts.wire,
      settings: this.#parts.settings,
      clock: this.#parts.clock,
      signal: this.#closing.signal,
      onUnreachable: (lanes, fault) => this.#unreachable(nodeId, lanes, fault),
      onLost: fault =>
        this.#warn(nodeId, 'lost the connection to a broker: what it did not acknowledge goes again', fault),
      onSilent: lanes => {
        for (const topic of new Set(lanes.map(lane => lane.topic))) this.#leaders.want(topic)
      },
      // Also for those who come after a producer that has ended: their first guess would be the same dead broker.
      onGone: lanes => {
        for (const lane of lanes) this.#leaders.forget(lane.topic, lane.partition)
      },
    })
    this.#pipes.set(nodeId, pipe)
    return pipe
  }

  /** Whether the partition is known to be led by another broker than that. */
  #isLeft({ topic, partition }: Lane, nodeId: number): boolean {
    const leader = this.#leaders.leaderOf(topic, partition)
    return leader !== undefined && leader !== nodeId
  }

  #awaitLeader(lane: Lane): void {
    lane.waits = true
    const lanes = this.#leaderless.get(lane.topic) ?? new Set()
    this.#leaderless.set(lane.topic, lanes)
    lanes.add(lane)
    this.#leaders.want(lane.topic)
  }

  /** Ends the waiting for a topic's leaders. */
  #leave(topic: string, then: (lane: Lane) => void): void {
    const lanes = this.#leaderless.get(topic) ?? new Set()
    this.#leaderless.delete(topic)
    for (const lane of lanes) lane.waits = false
    for (const lane of lanes) then(lane)
  }

  #rest(lane: Lane, attempt: number): void {
    const { clock } = this.#parts
    lane.waits = true
    lane.restUntilMs = clock.nowMs() + backOffMs(resendBackOff, attempt, clock)
    this.#resting.add(lane)
    this.#alarm.set(lane.restUntilMs)
  }

  #wake(): void {
    const nowMs = this.#parts.clock.nowMs()
    for (const lane of this.#resting) {
      if (lane.restUntilMs > nowMs) {
        this.#alarm.set(lane.restUntilMs)
        continue
      }
      this.#resting.delete(lane)
      lane.waits = false
      this.offer(lane)
    }
  }

  #unreachable(nodeId: number, lanes: readonly Lane[], fault: Fault): void {
    this.#warn(nodeId, 'a broker cannot be reached', fault)
    for (const lane of lanes) {
      if (!(fault instanceof Retryable)) lane.owner.fail(fault)
      lane.trouble = fault.message
      this.#leaders.forget(lane.topic, lane.partition)
      this.offer(lane)
    }
  }

  #warn(nodeId: number, message: string, fault: Fault): void {
    const nowMs = this.#parts.clock.nowMs()
    if (nowMs < (this.#loggedMs.get(nodeId) ?? 0) + quietLogMs) return
    this.#loggedMs.set(nodeId, nowMs)
    this.#parts.log.warn({ broker: nodeId, error: fault.message }, message)
  }
}
