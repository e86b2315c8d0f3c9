import type { Clock } from '../../../clock.ts'
import { type Fault, Retryable } from '../../../errors.ts'
import { backOffMs } from '../../../retry.ts'
import { UnderWay } from '../../../under-way.ts'
import { faultOf } from '../classify.ts'
import { Silence } from '../silence.ts'
import type { BrokerConnection, ProduceAnswer, Wire } from '../wire.ts'
import { Alarm } from './alarm.ts'
import type { Lane, LaneOwner } from './lane.ts'
import { MarkedNames } from './marked-names.ts'
import { mayBeDead, notThere, Opening } from './opening.ts'
import { maxInFlight } from './partition-queue.ts'
import { networkException } from './produce-errors.ts'
import type { QueuedBatch } from './queued-batch.ts'
import { ReadyLanes } from './ready-lanes.ts'

/** Between attempts to connect to one broker. */
const connectBackOff = { initialMs: 100, maxMs: 1_000 }

export interface PipeSettings {
  /** How long an open batch waits for more records while the broker is busy, milliseconds. */
  readonly lingerMs: number
  /** Upper bound of the batches in one request; one batch alone may be larger. */
  readonly requestBytes: number
}

export interface PipeParts {
  readonly nodeId: number
  readonly wire: Wire
  readonly settings: PipeSettings
  readonly clock: Clock
  readonly signal: AbortSignal
  /** The broker cannot be reached: where are its lanes led now? */
  readonly onUnreachable: (lanes: readonly Lane[], fault: Fault) => void
  readonly onLost: (fault: Fault) => void
  /** It answers nothing: are these still led by it? `leftBy` is then to be told. */
  readonly onSilent: (lanes: readonly Lane[]) => void
  /** These were on the wire when the connection went: who leads them is to be asked. */
  readonly onGone: (lanes: readonly Lane[]) => void
}

const noAnswer = { errorCode: networkException, rejected: [] }

/** A batch in a request. */
interface Shipment {
  readonly lane: Lane
  readonly batch: QueuedBatch
}
type Request = readonly Shipment[]

/** One connection and the requests on it. */
interface Session {
  readonly connection: BrokerConnection
  readonly requests: UnderWay<Request>
  readonly silence: Silence
}

/**
 * What goes to one broker: requests of at most one batch a partition, of all producers but those with transactions,
 * whose requests are theirs alone; at most five at a time.
 *
 * A lane is ready (its next batch is full, or must go), lingering (its next batch is open), or not here. Batches
 * linger while the broker is busy: until they are full, `lingerMs` has passed since their first record, or nothing is
 * on the wire. An idle broker gets every record at once; the busier it is, the fuller the batches.
 */
export class BrokerPipe {
  readonly #parts: PipeParts
  readonly #ready = new ReadyLanes()
  /** In the order in which their linger ends. */
  readonly #lingering = new Set<Lane>()
  /** Those of the request that is being composed. */
  readonly #partitions = new MarkedNames()
  readonly #alarm: Alarm
  #session: Session | undefined
  #opening: Opening | undefined
  #failedAttempts = 0
  #pumpQueued = false
  /** No request is sent before, because the broker asked for it; by the steady clock. */
  #throttledUntilMs = 0

  constructor(parts: PipeParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.clock, () => this.#pump())
  }

  /** The lane may have something to send. */
  add(lane: Lane): void {
    const batch = lane.next()
    if (batch === undefined || batch.state === 'sealing' || this.#ready.has(lane)) return
    if (batch.state === 'open' && this.#lingerEndMs(batch) > this.#parts.clock.nowMs()) this.#lingering.add(lane)
    else {
      this.#lingering.delete(lane)
      this.#ready.add(lane)
    }
    this.#queuePump()
  }

  remove(lane: Lane): void {
    this.#lingering.delete(lane)
    this.#ready.remove(lane)
  }

  /** Closes the connection if something of `owner` is on it. */
  cut(owner: LaneOwner): void {
    const session = this.#session
    if (session !== undefined && lanesOf(session.requests).some(lane => lane.owner === owner)) this.#lose(session)
  }

  /** Closes a connection that is silent and carries something of a partition for which `isLeftBy` says true, or would. */
  leftBy(isLeftBy: (lane: Lane) => boolean): void {
    const { nodeId } = this.#parts
    const session = this.#session
    if (session?.silence.isSilent && lanesOf(session.requests).some(isLeftBy)) this.#lose(session)
    if (this.#opening?.isSilent && this.#waiting.some(isLeftBy)) this.#opening.giveUp(notThere(nodeId))
  }

  /** Those that go with the next requests. */
  get #waiting(): Lane[] {
    return [...this.#ready.all, ...this.#lingering]
  }

  close(): void {
    this.#alarm.stop()
    if (this.#session !== undefined) this.#lose(this.#session)
  }

  /** After everything that happens in this turn of the event loop, so that what comes together goes together. */
  #queuePump(): void {
    if (this.#pumpQueued) return
    this.#pumpQueued = true
    queueMicrotask(() => {
      this.#pumpQueued = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#parts.signal.aborted || (this.#ready.isEmpty && this.#lingering.size === 0)) return
    const session = this.#session
    if (session === undefined) {
      if (this.#opening === undefined) void this.#connect()
      return
    }
    const nowMs = this.#parts.clock.nowMs()
    if (nowMs < this.#throttledUntilMs) {
      this.#alarm.set(this.#throttledUntilMs)
      return
    }
    this.#endLinger(nowMs, session.requests.size === 0)
    while (session.requests.size < maxInFlight) {
      const request = this.#compose()
      if (request.length === 0) break
      void this.#send(session, request)
    }
    const [first] = this.#lingering
    const open = first?.queue.open
    if (open !== undefined) this.#alarm.set(this.#lingerEndMs(open))
  }

  #lingerEndMs(batch: QueuedBatch): number {
    return batch.beganMs + this.#parts.settings.lingerMs
  }

  /** Makes those ready that have waited long enough, or all. */
  #endLinger(nowMs: number, isIdle: boolean): void {
    for (const lane of this.#lingering) {
      const batch = lane.next()
      if (!isIdle && batch?.state === 'open' && this.#lingerEndMs(batch) > nowMs) return
      this.#lingering.delete(lane)
      if (batch !== undefined) this.#ready.add(lane)
    }
  }

  /** The next request; empty where nothing is ready. Its batches count as on the wire from here on. */
  #compose(): Request {
    const request: Shipment[] = []
    const again: Lane[] = []
    let bytes = 0
    this.#partitions.begin()
    this.#ready.bringBack()
    for (let lane = this.#ready.first; lane !== undefined; lane = this.#ready.first) {
      // Two producers may write to one partition. A broker would keep only one of its batches in a request.
      if (this.#partitions.has(lane.name)) {
        this.#ready.putBehind()
        continue
      }
      // And it takes the batches of one transaction at a time.
      const isAlien = lane.owner.transactionalId !== (request[0]?.lane ?? lane).owner.transactionalId
      const batch = isAlien ? undefined : lane.takeSealed()
      const batchBytes = batch?.records.bytes.length ?? 0
      if (batch !== undefined && bytes > 0 && bytes + batchBytes > this.#parts.settings.requestBytes) break
      this.#ready.take(lane)
      if (isAlien) again.push(lane)
      if (batch === undefined) continue
      lane.queue.sent(batch)
      lane.owner.sent(batch)
      this.#partitions.add(lane.name)
      bytes += batchBytes
      request.push({ lane, batch })
    }
    for (const lane of again) this.add(lane)
    for (const { lane } of request) this.add(lane)
    return request
  }

  async #send(session: Session, request: Request): Promise<void> {
    session.requests.begin(request)
    session.silence.asked()
    const transactionalId = request[0]?.lane.owner.transactionalId
    const batches = request.map(({ lane, batch }) => ({
      topic: lane.topic,
      partition: lane.partition,
      bytes: batch.records.bytes,
    }))
    let answer: ProduceAnswer
    try {
      answer = await session.connection.produce(batches, transactionalId)
    } catch (error) {
      if (session.requests.has(request)) this.#broke(session, faultOf(error, `send to broker ${this.#parts.nodeId}`))
      return
    }
    if (!session.requests.end(request)) return
    session.silence.settled()
    session.silence.heard()
    this.#throttle(request, answer.throttleMs)
    for (const [i, { lane, batch }] of request.entries()) {
      const { errorCode, rejected } = answer.results[i] ?? noAnswer
      lane.owner.answered(lane, batch, errorCode, rejected)
    }
    this.#queuePump()
  }

  #broke(session: Session, fault: Fault): void {
    this.#parts.onLost(fault)
    // Such as a version of the protocol that the broker does not speak: no other connection would mend that.
    if (!(fault instanceof Retryable)) {
      for (const request of [...session.requests]) for (const { lane } of request) lane.owner.fail(fault)
    }
    this.#lose(session)
  }

  /**
   * A connection is used until it breaks; then all of its requests have failed, and another is made when it is needed.
   * They count as failed from here on: of a closed connection no byte is written any more.
   */
  #lose(session: Session): void {
    session.connection.close()
    session.silence.stop()
    if (this.#session === session) this.#session = undefined
    const lost = session.requests.endAll()
    this.#parts.onGone(lanesOf(lost))
    for (const request of lost) {
      for (const { lane, batch } of request) lane.owner.answered(lane, batch, noAnswer.errorCode, noAnswer.rejected)
    }
    this.#queuePump()
  }

  #throttle(request: Request, throttleMs: number): void {
    if (throttleMs <= 0) return
    this.#throttledUntilMs = Math.max(this.#throttledUntilMs, this.#parts.clock.nowMs() + throttleMs)
    for (const owner of new Set(request.map(({ lane }) => lane.owner))) owner.throttled(throttleMs)
  }

  #begin(connection: BrokerConnection): Session {
    const requests = new UnderWay<Request>()
    const onSilence = () => {
      if (session.silence.wasQuiet) this.#broke(session, mayBeDead(this.#parts.nodeId))
      else this.#parts.onSilent(lanesOf(requests))
    }
    const session: Session = { connection, requests, silence: new Silence(this.#parts.clock, onSilence) }
    return session
  }

  async #connect(): Promise<void> {
    const { wire, nodeId, clock, signal, onUnreachable } = this.#parts
    const opening = new Opening(clock, () => this.#parts.onSilent(this.#waiting))
    this.#opening = opening
    try {
      if (this.#failedAttempts > 0) await clock.sleep(backOffMs(connectBackOff, this.#failedAttempts, clock), signal)
      const connection = await opening.run(either => wire.connect(nodeId, either), signal)
      if (signal.aborted) connection.close()
      else this.#session = this.#begin(connection)
      this.#failedAttempts = 0
    } catch (error) {
      this.#failedAttempts += 1
      const lanes = this.#waiting
      this.#ready.clear()
      this.#lingering.clear()
      if (!signal.aborted) onUnreachable(lanes, faultOf(error, `connect to broker ${nodeId}`))
    }
    this.#opening = undefined
    this.#queuePump()
  }
}

/** Those with something on the wire. */
function lanesOf(requests: Iterable<Request>): Lane[] {
  return [...requests].flatMap(request => request.map(({ lane }) => lane))
}
