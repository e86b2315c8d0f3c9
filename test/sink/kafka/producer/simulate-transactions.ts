import { Fenced, Retryable } from '../../../../src/errors.ts'
import { silentLogger } from '../../../../src/log.ts'
import { silentMeter } from '../../../../src/meter.ts'
import type { OutRecord } from '../../../../src/record.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { Coordinators } from '../../../../src/sink/kafka/producer/coordinators.ts'
import { Dispatcher } from '../../../../src/sink/kafka/producer/dispatcher.ts'
import type { Transactions, TransactionsParts } from '../../../../src/sink/kafka/producer/transactions.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { openWireSink, type WireSinkParts } from '../../../../src/sink/kafka/wire-sink.ts'
import type { TransactionalSink } from '../../../../src/sink/sink.ts'
import { ModelCluster } from './model-cluster.ts'
import { type FaultPlan, play } from './simulate.ts'
import { VirtualTime } from './virtual-time.ts'

export const ids: readonly string[] = ['shop.a.0', 'shop.b.1']
const partitions = 3
const brokers = 3
const attemptLimit = 60
const never = new AbortController().signal

/** Some records, and whether they are committed then, with all before them. */
export interface Step {
  readonly afterMs: number
  readonly records: number
  readonly commits: boolean
}

/** The sink of that id is left alone, and another one opened: two instances that do not know of each other. */
export interface TakeOver {
  readonly id: number
  readonly atMs: number
}

export interface TransactionsPlan {
  readonly seed: number
  readonly steps: readonly (readonly Step[])[]
  readonly faults: readonly FaultPlan[]
  readonly takeOvers: readonly TakeOver[]
}

export interface TransactionsOutcome {
  readonly violations: readonly string[]
  readonly commits: number
  readonly replays: number
  readonly fenced: number
  /** Transactions that the coordinator had to end. */
  readonly timeouts: number
}

type CreateTransactions = (parts: TransactionsParts) => Transactions

/** Plays a plan until every record of every id is committed, and the zombies have heard their sentence. */
export async function simulateTransactions(
  plan: TransactionsPlan,
  createTransactions?: CreateTransactions,
): Promise<TransactionsOutcome> {
  const time = new VirtualTime(plan.seed)
  const cluster = new ModelCluster(time, brokers)
  const dispatcher = new Dispatcher({
    wire: cluster,
    settings: { lingerMs: 5, requestBytes: 700 },
    clock: time,
    log: silentLogger,
  })
  const coordinators = new Coordinators({ wire: cluster, clock: time })
  const parts: WireSinkParts & { readonly createTransactions: CreateTransactions | undefined } = {
    capabilities: { headers: true, idempotence: true, transactions: true },
    wire: cluster,
    dispatcher,
    coordinators,
    transactionTimeoutMs: 10_000,
    buffers: new BufferPool(),
    limits: {
      get: () => 200,
      refusedBatch: () => undefined,
      suspectedBatch: () => undefined,
      foundRecord: () => undefined,
    },
    settings: { compression: 'none', queueLimitBytes: 1 << 20, deliveryTimeoutMs: 60_000 },
    countPartitions: async () => partitions,
    clock: time,
    meter: silentMeter,
    createTransactions,
  }
  const pipelines = ids.map(
    (id, index) => new Pipeline({ id, index, cluster, time, parts, steps: plan.steps[index] ?? [] }),
  )
  for (const { id, atMs } of plan.takeOvers) time.after(atMs, () => pipelines[id]?.takeOver())
  for (const fault of plan.faults) time.after(fault.atMs, () => play(cluster, fault))
  let running = pipelines.length
  for (const pipeline of pipelines)
    void pipeline.run().then(() => {
      running -= 1
    })
  await time.run(() => running === 0)
  if (running > 0) cluster.violations.push('a pipeline never ends')
  await time.run(() => false, 60_000) // What is still on its way must not change anything.
  for (const pipeline of pipelines) pipeline.judge()
  coordinators[Symbol.dispose]()
  dispatcher[Symbol.dispose]()
  const { violations, coordinator } = cluster
  const sum = (count: (pipeline: Pipeline) => number) => pipelines.reduce((total, each) => total + count(each), 0)
  return {
    violations,
    commits: coordinator.commits,
    replays: sum(({ replays }) => replays),
    fenced: sum(({ fenced }) => fenced),
    timeouts: coordinator.timeouts,
  }
}

interface PipelineParts {
  readonly id: string
  readonly index: number
  readonly cluster: ModelCluster
  readonly time: VirtualTime
  readonly parts: WireSinkParts
  readonly steps: readonly Step[]
}

/** A sink, and whether another one of its id was opened after it. */
interface Instance {
  readonly sink: TransactionalSink
  isOver: boolean
}

/** Sends the numbers from 0 on, each to its partition, and commits with each transaction how far it has come. */
class Pipeline {
  replays = 0
  fenced = 0
  readonly #parts: PipelineParts
  /** Up to which number each step goes. */
  readonly #ends: readonly number[]
  readonly #instances: Instance[] = []
  readonly #zombies: Promise<unknown>[] = []
  #acknowledged = 0
  #takeOver = Promise.withResolvers<'taken over'>()

  constructor(parts: PipelineParts) {
    this.#parts = parts
    let end = 0
    this.#ends = parts.steps.map(({ records }) => {
      end += records
      return end
    })
  }

  takeOver(): void {
    this.#takeOver.resolve('taken over')
  }

  async run(): Promise<void> {
    for (let attempt = 1; this.#committed < this.#total; attempt += 1) {
      if (attempt > attemptLimit) return this.#violation('makes no progress')
      const error = await this.#attempt()
      this.#checkAtomic()
      if (error === undefined) continue
      this.replays += 1
      await this.#parts.time.sleep(50)
    }
    await Promise.all(this.#zombies)
  }

  judge(): void {
    this.#checkAtomic()
    const { cluster } = this.#parts
    if (this.#committed < this.#total) this.#violation(`committed ${this.#committed} of ${this.#total}`)
    for (const log of cluster.logs()) if (!log.committed.isWhole) this.#violation('a transaction stays open')
  }

  get #total(): number {
    return this.#ends.at(-1) ?? 0
  }

  get #committed(): number {
    return Number(this.#parts.cluster.log('positions', this.#parts.index).committed.values.at(-1) ?? 0)
  }

  /** One sink's life. Resolves to its error, or without one when it is through or somebody else took over. */
  async #attempt(): Promise<unknown> {
    const { id, index, parts, cluster } = this.#parts
    let instance: Instance
    try {
      const request = { pipeline: id, transactionalId: id, transactions: true }
      instance = { sink: (await openWireSink(parts, request, never)) as TransactionalSink, isOver: false }
    } catch (error) {
      return this.#note(error)
    }
    for (const earlier of this.#instances) earlier.isOver = true
    this.#instances.push(instance)
    this.#takeOver = Promise.withResolvers()
    if (!cluster.log('positions', index).committed.isWhole) this.#violation('a transaction is open after a fence')
    const life = this.#live(instance)
    const end = await Promise.race([life, this.#takeOver.promise])
    if (end !== 'taken over') return end
    this.#zombies.push(life)
    return undefined
  }

  async #live(instance: Instance): Promise<unknown> {
    let error: unknown
    try {
      await this.#work(instance)
    } catch (caught) {
      error = this.#note(caught)
    }
    await instance.sink[Symbol.asyncDispose]()
    return error
  }

  /** From the last commit to the end. */
  async #work(instance: Instance): Promise<void> {
    const { time, steps } = this.#parts
    const from = this.#committed
    if (from < this.#acknowledged) this.#violation(`${this.#acknowledged} was acknowledged, ${from} is committed`)
    const failed = Promise.withResolvers<never>()
    failed.promise.catch(() => undefined)
    const commits: Promise<void>[] = []
    let at = from
    for (const [step, { afterMs, commits: isCommit }] of steps.entries()) {
      const end = this.#ends[step]!
      if (end <= from) continue
      await Promise.race([time.sleep(afterMs), failed.promise])
      const sending = instance.sink.send(this.#recordsOf(at, end), never)
      sending.catch(failed.reject)
      at = end
      if (!isCommit && end < this.#total) continue
      const committing = this.#commit(instance, end)
      committing.catch(failed.reject)
      commits.push(committing)
      if (commits.length > 2) await commits.shift()
    }
    await Promise.race([Promise.all(commits), failed.promise])
  }

  async #commit(instance: Instance, end: number): Promise<void> {
    const isZombie = instance.isOver
    const packed = packRecords([this.#record('positions', this.#parts.index, `${end}`)])
    const committing = instance.sink.commit(packed, never)
    packed.bytes.fill(0) // Their owner uses the columns again.
    await committing
    if (isZombie) this.#violation('a zombie commits')
    this.#acknowledged = Math.max(this.#acknowledged, end)
  }

  /** Each time that it is looked at: what is committed is all up to the committed position, once, in order. */
  #checkAtomic(): void {
    const { cluster, index } = this.#parts
    const committed = this.#committed
    for (let partition = 0; partition < partitions; partition += 1) {
      const { values } = cluster.log('data', partition).committed
      const found = values.filter(value => value.startsWith(`${index}.`)).join()
      const numbers = Array.from({ length: committed }, (_, n) => n).filter(n => n % partitions === partition)
      const expected = numbers.map(n => `${index}.${n}`).join()
      if (found !== expected) this.#violation(`at ${committed}, data/${partition} has ${found} and not ${expected}`)
    }
  }

  #recordsOf(from: number, to: number) {
    const numbers = Array.from({ length: to - from }, (_, i) => from + i)
    return packRecords(numbers.map(n => this.#record('data', n % partitions, `${this.#parts.index}.${n}`)))
  }

  #record(topic: string, partition: number, value: string): OutRecord {
    const timestampMs = Math.floor(this.#parts.time.nowMs())
    return { topic, partition, key: Buffer.from('k'), value: Buffer.from(value), headers: {}, timestampMs }
  }

  /** Every end is one that a retry or a successor mends. */
  #note(error: unknown): unknown {
    if (error instanceof Fenced) this.fenced += 1
    else if (!(error instanceof Retryable)) this.#violation(`ended with ${error}`)
    return error
  }

  #violation(text: string): void {
    this.#parts.cluster.violations.push(`${this.#parts.id}: ${text}`)
  }
}
