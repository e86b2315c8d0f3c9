import { positionBytes } from '../../src/encode/headers.ts'
import { PoisonEvent, Retryable } from '../../src/errors.ts'
import { type OutRecord, type Records, windowBytes } from '../../src/record.ts'
import { outRecord } from '../../src/record-headers.ts'
import type { Sink, TransactionalSink } from '../../src/sink/sink.ts'
import type { Log, Transaction } from './kafka.ts'
import { positionOf } from './mongo.ts'
import { call, type Place } from './schedule.ts'
import { deadLetterTopic, partitionCount, type World } from './world.ts'

export const checkpointTopic = 'checkpoints'

export function transactionalIdOf(slot: number): string {
  return `sim.orders.${slot}`
}

/** What the kinds of sinks share: the window is checked (G7), and after a failure nothing more is taken. */
abstract class SimulatedSink implements Sink {
  readonly capabilities
  protected readonly world: World
  protected readonly place: Place
  protected readonly epoch: number
  protected readonly id: string | undefined
  protected broken: unknown
  /** It is being disposed of: no record of it may be under way. */
  #isOver = false
  readonly #tails = new Map<Log, Promise<void>>()
  #outstandingBytes = 0

  constructor(world: World, place: Place, id: string | undefined, epoch: number, transactions: boolean) {
    this.capabilities = { headers: true, idempotence: id !== undefined, transactions }
    this.world = world
    this.place = place
    this.id = id
    this.epoch = epoch
  }

  abstract send(records: Records, signal: AbortSignal): Promise<void>

  async partitions(_topic: string, _spec: unknown, signal: AbortSignal): Promise<number> {
    await call(this.place, 'sink.partitions', () => undefined, signal)
    return partitionCount
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    this.broken ??= new Error('the sink was disposed')
    await call(this.place, 'sink.close', () => undefined)
  }

  protected hold(bytes: number): void {
    const { inFlightLimitBytes, violations } = this.world
    this.#outstandingBytes += bytes
    if (this.#outstandingBytes <= Math.max(inFlightLimitBytes, bytes)) return
    violations.push(`G7: ${this.#outstandingBytes} bytes in flight, limit ${inFlightLimitBytes}`)
  }

  protected free(bytes: number): void {
    this.#outstandingBytes -= bytes
  }

  protected failed(cause: unknown): Retryable {
    return new Retryable('SINK_UNAVAILABLE', 'the sink has failed before', { cause })
  }

  /**
   * As hostile as the interface allows: partitions fail one by one, a failed write may have landed, later writes to
   * other partitions may still land, acknowledgements come in any order. In each partition nothing passes a failure.
   */
  protected async landAll(records: readonly OutRecord[], signal: AbortSignal): Promise<void> {
    const { kafka } = this.world
    const topics = new Map([
      [checkpointTopic, kafka.checkpoints],
      [deadLetterTopic, kafka.deadLetters],
    ])
    const byLog = Map.groupBy(records, ({ topic, partition }) => (topics.get(topic) ?? kafka.data)[partition]!)
    const landing = Array.from(byLog, ([log, own]) => {
      const landed = this.#landAfter(this.#tails.get(log), log, own, signal)
      this.#tails.set(log, landed)
      landed.catch(() => undefined)
      return landed
    })
    const results = await Promise.allSettled(landing)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  async #landAfter(earlier: Promise<void> | undefined, log: Log, records: readonly OutRecord[], signal: AbortSignal) {
    await earlier
    if (signal.aborted) throw signal.reason
    const transaction = await this.join(log, signal)
    await call(this.place, 'sink.send', () => this.#append(log, records, transaction), signal)
  }

  #append(log: Log, records: readonly OutRecord[], transaction: Transaction | undefined): void {
    for (const record of records) this.#refuse(record)
    const entries = records.map(({ topic, key, value, headers }) => {
      const isCheckpoint = topic === checkpointTopic
      return {
        ...(!isCheckpoint && { topic }),
        ...(this.world.isReadBack && { headers }),
        key: key.toString(),
        change: isCheckpoint ? 0 : Number(value),
        slot: this.place.slot,
        writer: this.epoch,
        checkpoint: isCheckpoint ? String(value) : undefined,
        transaction,
      }
    })
    log.append(this.id, this.epoch, entries)
    // Too late for who has read it back already: that one sends it once more.
    const isLate = (log.readBack.get(this.place.slot) ?? -1) > this.epoch
    if (isLate) for (const { change } of entries) this.world.repeatable.add(change)
    if (transaction) return // Judged when it commits.
    for (const { slot, checkpoint, topic, change } of entries) {
      if (this.#isOver && change > 0 && this.place.process.isAlive) {
        this.world.violations.push(`G2: change ${change} was still on its way when its attempt had ended`)
      }
      if (checkpoint === undefined) this.world.judgeRecords(slot, topic)
      else this.world.judgeCheckpoint(slot, checkpoint, this.world.acknowledged)
    }
  }

  #refuse({ topic, partition, key, value }: OutRecord): void {
    const change = Number(value)
    if (topic === checkpointTopic || topic === deadLetterTopic || !this.world.refused.has(change)) return
    const record = { topic, partition, keyBytes: key.length, position: positionBytes(0, positionOf(change), 0) }
    const code = change % 2 === 0 ? 'SINK_RECORD_TOO_LARGE' : 'SINK_RECORD_INVALID'
    throw new PoisonEvent(code, `change ${change} is refused`, { record })
  }

  /** The transaction that a write to `log` belongs to. */
  protected abstract join(log: Log, signal: AbortSignal): Promise<Transaction | undefined>
}

function copies(columns: Records): OutRecord[] {
  return Array.from({ length: columns.count }, (_, i) => outRecord(columns, i))
}

/** Without transactions; with an id it fences by its epoch. */
export class PlainSink extends SimulatedSink {
  constructor(world: World, place: Place, id: string | undefined, epoch: number) {
    super(world, place, id, epoch, false)
  }

  async send(columns: Records, signal: AbortSignal): Promise<void> {
    if (this.broken) throw this.failed(this.broken)
    const records = copies(columns)
    const bytes = records.some(({ topic }) => topic === checkpointTopic) ? 0 : windowBytes(columns)
    this.hold(bytes)
    try {
      await this.landAll(records, signal)
      for (const { topic, value } of records) {
        if (topic !== checkpointTopic) this.world.acknowledged.add(Number(value))
      }
    } catch (error) {
      this.broken ??= error
      throw error
    } finally {
      this.free(bytes)
    }
  }

  protected async join(): Promise<undefined> {}
}

/** Whether it is as it should be, or ends the transaction without waiting for what was sent. */
export interface TransactionalOptions {
  readonly waitsForSends: boolean
}

export class SimulatedTransactionalSink extends SimulatedSink implements TransactionalSink {
  readonly #options: TransactionalOptions
  readonly #id: string
  readonly #joined = new Map<Log, Promise<Transaction>>()
  #sends: Promise<void>[] = []
  #bytes = 0
  /** The end of the transaction before. */
  #gate: Promise<void> = Promise.resolve()

  constructor(world: World, place: Place, id: string, epoch: number, options: TransactionalOptions) {
    super(world, place, id, epoch, true)
    this.#id = id
    this.#options = options
  }

  send(columns: Records, signal: AbortSignal): Promise<void> {
    const bytes = windowBytes(columns)
    this.hold(bytes)
    this.#bytes += bytes
    const sent = this.#land(this.#gate, copies(columns), signal)
    this.#sends.push(sent)
    sent.catch(() => undefined)
    return sent
  }

  commit(also: Records, signal: AbortSignal): Promise<void> {
    const sends = this.#sends
    const bytes = this.#bytes
    this.#sends = []
    this.#bytes = 0
    const ended = this.#end(this.#gate, sends, copies(also), signal).finally(() => this.free(bytes))
    ended.catch(error => {
      this.broken ??= error
    })
    this.#gate = ended
    return ended
  }

  async #end(gate: Promise<void>, sends: Promise<void>[], also: OutRecord[], signal: AbortSignal): Promise<void> {
    await gate
    const landed = this.#land(gate, also, signal)
    landed.catch(() => undefined)
    const results = await Promise.allSettled(this.#options.waitsForSends ? [...sends, landed] : [landed])
    for (const result of results) if (result.status === 'rejected') throw result.reason
    await call(this.place, 'sink.commit', () => this.world.kafka.commit(this.#id, this.epoch), signal)
    this.#joined.clear()
  }

  async #land(gate: Promise<void>, records: readonly OutRecord[], signal: AbortSignal): Promise<void> {
    await gate
    if (this.broken) throw this.failed(this.broken)
    try {
      await this.landAll(records, signal)
    } catch (error) {
      this.broken ??= error
      throw error
    }
  }

  protected join(log: Log, signal: AbortSignal): Promise<Transaction> {
    const known = this.#joined.get(log)
    if (known) return known
    const joined = this.#add(log, signal)
    this.#joined.set(log, joined)
    return joined
  }

  async #add(log: Log, signal: AbortSignal): Promise<Transaction> {
    const { kafka } = this.world
    await kafka.settled(this.#id) // It is asked again until the last transaction is marked everywhere.
    return call(this.place, 'sink.add', () => kafka.add(this.#id, this.epoch, log), signal)
  }
}
