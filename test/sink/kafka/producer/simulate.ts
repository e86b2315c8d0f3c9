import { Fault } from '../../../../src/errors.ts'
import { silentLogger } from '../../../../src/log.ts'
import { silentMeter } from '../../../../src/meter.ts'
import type { OutRecord } from '../../../../src/record.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { Dispatcher } from '../../../../src/sink/kafka/producer/dispatcher.ts'
import { PartitionQueue } from '../../../../src/sink/kafka/producer/partition-queue.ts'
import { Producer } from '../../../../src/sink/kafka/producer/producer.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { ModelCluster } from './model-cluster.ts'
import { VirtualTime } from './virtual-time.ts'

export const partitions = 3
/** The third producer writes to the first one's topic: two pipelines may. */
export const topics: readonly string[] = ['a', 'b', 'a']
const brokers = 3

/** One `send`: by whom, how long after the one before, and the partitions of its records. */
export interface CallPlan {
  readonly producer: number
  readonly afterMs: number
  readonly partitions: readonly number[]
}

export interface FaultPlan {
  readonly atMs: number
  readonly kind: 'move' | 'leaderless' | 'down' | 'cut' | 'cut-after' | 'freeze' | 'throttle' | 'blind' | 'error'
  /** Which broker or partition, modulo their number. */
  readonly target: number
  readonly forMs: number
  /** 0 to 1: how much of what is not committed the next leader has. */
  readonly share: number
  /** How many batches in a row get the error. */
  readonly times: number
  readonly error: { readonly code: number; readonly appended: boolean }
}

/** How one producer ends before its time. */
export interface EndingPlan {
  readonly producer: number
  readonly atMs: number
  readonly kind: 'refused' | 'aborted' | 'disposed'
  readonly partition: number
  /** What a batch is refused with. */
  readonly code: number
}

export interface Plan {
  readonly seed: number
  readonly calls: readonly CallPlan[]
  readonly faults: readonly FaultPlan[]
  readonly ending?: EndingPlan
}

export interface Outcome {
  readonly violations: readonly string[]
  readonly rejections: readonly unknown[]
  readonly lookUps: number
  readonly passedMs: number
  readonly wrapped: boolean
}

type CreateQueue = (firstSequence: number) => PartitionQueue
const createQueue: CreateQueue = firstSequence => new PartitionQueue(firstSequence)

/** Plays a plan to its end: every call is settled, or nothing happens any more. */
export async function simulate(plan: Plan, create: CreateQueue = createQueue): Promise<Outcome> {
  const time = new VirtualTime(plan.seed)
  const cluster = new ModelCluster(time, brokers)
  const world = new World(time, cluster, plan, create)
  const startMs = time.nowMs()
  await world.open()
  const { ending } = plan
  if (ending !== undefined) time.after(ending.atMs, () => world.end(ending))
  for (const fault of plan.faults) time.after(fault.atMs, () => play(cluster, fault))
  let atMs = 0
  for (const call of plan.calls) {
    atMs += call.afterMs
    time.after(atMs, () => world.send(call))
  }
  await time.run(() => world.settled === plan.calls.length)
  const passedMs = time.nowMs() - startMs
  world.judge()
  await world.close()
  const { violations, lookUps } = cluster
  return { violations, lookUps, passedMs, rejections: world.rejections, wrapped: world.wrapped }
}

class World {
  readonly rejections: unknown[] = []
  settled = 0
  readonly #aborts = topics.map(() => new AbortController())
  readonly #ended = new Set<number>()
  readonly #time: VirtualTime
  readonly #cluster: ModelCluster
  readonly #dispatcher: Dispatcher
  readonly #plan: Plan
  readonly #create: CreateQueue
  readonly #firstSequence: number
  readonly #producers: Producer[] = []
  /** Values by producer and partition, in the order in which they were sent. */
  readonly #sent: string[][][] = topics.map(() => Array.from({ length: partitions }, () => []))

  constructor(time: VirtualTime, cluster: ModelCluster, plan: Plan, create: CreateQueue) {
    this.#time = time
    this.#cluster = cluster
    this.#plan = plan
    this.#create = create
    this.#firstSequence = 0x7fffffff - (plan.seed % 20)
    const settings = { lingerMs: 5, requestBytes: 700 }
    this.#dispatcher = new Dispatcher({ wire: cluster, settings, clock: time, log: silentLogger })
  }

  /** Whether some partition's sequence numbers went beyond 2^31 - 1. */
  get wrapped(): boolean {
    return this.#sent.flat().some(values => this.#firstSequence + values.length > 0x7fffffff)
  }

  async open(): Promise<void> {
    for (const [index] of topics.entries()) {
      this.#producers.push(
        new Producer({
          pipeline: `p${index}`,
          identity: await this.#cluster.initProducerId(),
          dispatcher: this.#dispatcher,
          limits: {
            get: () => 200,
            refusedBatch: () => undefined,
            suspectedBatch: () => undefined,
            foundRecord: () => undefined,
          },
          buffers: new BufferPool(),
          settings: { compression: 'none', queueLimitBytes: 1 << 20, deliveryTimeoutMs: 120_000 },
          clock: this.#time,
          meter: silentMeter,
          createQueue: () => this.#create(this.#firstSequence),
        }),
      )
    }
  }

  send({ producer, partitions: places }: CallPlan): void {
    const topic = topics[producer] ?? ''
    const records = places.map(partition => {
      const values = this.#sent[producer]?.[partition] ?? []
      const value = `${producer}.${partition}.${values.length}`
      values.push(value)
      return {
        topic,
        partition,
        key: Buffer.from('k'),
        value: Buffer.from(value),
        headers: {},
        timestampMs: this.#time.nowMs(),
      }
    })
    const packed = packRecords(records)
    const sending = this.#producers[producer]?.send(packed, this.#abortOf(producer)) ?? Promise.resolve()
    packed.bytes.fill(0) // Their owner uses the columns again.
    packed.starts.fill(0)
    void this.#settle(sending, producer, records)
  }

  async #settle(sending: Promise<void>, producer: number, records: readonly OutRecord[]): Promise<void> {
    try {
      await sending
      this.#checkWritten(producer, records)
    } catch (error) {
      this.#ended.add(producer)
      this.#cluster.watch.rejected(BigInt(producer + 1))
      this.rejections.push(error instanceof Fault ? `${error.code}: ${error.message}` : error)
    }
    this.settled += 1
  }

  end({ producer, kind, partition, code }: EndingPlan): void {
    const log = this.#cluster.log(topics[producer] ?? '', partition)
    if (kind === 'refused') log.troubles.push({ code, appended: false })
    if (kind === 'aborted') this.#aborts[producer]?.abort(new Error('aborted'))
    if (kind === 'disposed') void this.#producers[producer]?.[Symbol.asyncDispose]()
  }

  judge(): void {
    const { violations } = this.#cluster
    if (this.settled < this.#plan.calls.length) violations.push('a call never settles')
    for (const [producer, byPartition] of this.#sent.entries()) {
      for (const [partition, sent] of byPartition.entries()) {
        const written = this.#written(producer, partition)
        const expected = this.#ended.has(producer) ? sent.slice(0, written.length) : sent
        if (written.join() === expected.join()) continue
        violations.push(`producer ${producer}, partition ${partition}: sent ${sent.join()}, written ${written.join()}`)
      }
    }
  }

  /** Afterwards nothing may be sent any more, whatever was left. */
  async close(): Promise<void> {
    let closed = false
    const closing = Promise.all(this.#producers.map(producer => producer[Symbol.asyncDispose]())).then(() => {
      closed = true
    })
    await this.#time.run(() => closed)
    if (closed) await closing
    if (!closed) this.#cluster.violations.push('dispose never ends')
    const { produced } = this.#cluster
    await this.#time.run(() => false, 10_000)
    if (this.#cluster.produced > produced) this.#cluster.violations.push('something was sent after dispose')
    this.#dispatcher[Symbol.dispose]()
  }

  #abortOf(producer: number): AbortSignal {
    return (this.#aborts[producer] ?? new AbortController()).signal
  }

  /** All of a call must be there when it resolves. */
  #checkWritten(producer: number, records: readonly OutRecord[]): void {
    for (const { partition, value } of records) {
      if (this.#written(producer, partition).includes(String(value))) continue
      this.#cluster.violations.push(`${value} was acknowledged and is not there`)
    }
  }

  #written(producer: number, partition: number): string[] {
    return this.#cluster.log(topics[producer] ?? '', partition).valuesOf(BigInt(producer + 1))
  }
}

export function play(cluster: ModelCluster, { kind, target, forMs, share, times, error }: FaultPlan): void {
  const broker = cluster.brokers[target % cluster.brokers.length]
  const logs = cluster.logs()
  const log = logs[target % Math.max(1, logs.length)]
  const other = (target + Math.floor(forMs)) % cluster.brokers.length
  switch (kind) {
    case 'move':
      log?.move(other, share)
      break
    case 'leaderless':
      log?.move(-1, share)
      cluster.time.after(forMs, () => log?.move(other, 1))
      break
    case 'down':
      broker?.down(forMs, share)
      break
    case 'cut':
      broker?.cut(false)
      break
    case 'cut-after':
      broker?.cut(true)
      break
    case 'freeze':
      broker?.freeze(forMs)
      break
    case 'throttle':
      if (broker !== undefined) broker.throttleMs = Math.ceil(forMs)
      break
    case 'blind':
      cluster.isBlind = true
      cluster.time.after(forMs, () => {
        cluster.isBlind = false
      })
      break
    case 'error':
      for (let i = 0; i < times; i += 1) log?.troubles.push(error)
  }
}
