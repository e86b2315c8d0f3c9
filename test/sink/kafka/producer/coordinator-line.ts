import type {
  CoordinatorConnection,
  ProducerIdentity,
  TopicPartition,
  TransactionalIdentity,
  TransactionDescription,
} from '../../../../src/sink/kafka/wire.ts'
import type { Breakable, ModelBroker, ModelCluster } from './model-cluster.ts'
import { refusal, requestTimeoutMs, unavailable } from './model-faults.ts'

/** A connection to a coordinator: one question after the other, and what arrived is answered though nobody waits. */
export class CoordinatorLine implements CoordinatorConnection, Breakable {
  readonly #cluster: ModelCluster
  readonly #broker: ModelBroker
  readonly #rejects = new Set<(error: unknown) => void>()
  #last: Promise<void> = Promise.resolve()
  #isLost = false
  closed = false

  constructor(cluster: ModelCluster, broker: ModelBroker) {
    this.#cluster = cluster
    this.#broker = broker
    broker.add(this)
  }

  initProducerId(transactionalId: string, timeoutMs: number): Promise<ProducerIdentity> {
    return this.#ask(transactionalId, () => this.#cluster.coordinator.initProducerId(transactionalId, timeoutMs))
  }

  addPartitions(identity: TransactionalIdentity, partitions: readonly TopicPartition[]): Promise<void> {
    return this.#ask(identity.transactionalId, () => this.#cluster.coordinator.addPartitions(identity, partitions))
  }

  endTransaction(identity: TransactionalIdentity, outcome: 'commit' | 'abort'): Promise<void> {
    return this.#ask(identity.transactionalId, () => this.#cluster.coordinator.endTransaction(identity, outcome))
  }

  describeTransaction(transactionalId: string): Promise<TransactionDescription | undefined> {
    return this.#ask(transactionalId, () => this.#cluster.coordinator.describeTransaction(transactionalId))
  }

  close(): void {
    this.break(true)
  }

  break(processed: boolean): void {
    if (this.closed) return
    this.closed = true
    this.#isLost = !processed
    this.#broker.remove(this)
    for (const reject of this.#rejects) reject(unavailable('the connection is gone'))
    this.#rejects.clear()
  }

  #ask<T>(transactionalId: string, work: () => T): Promise<T> {
    if (this.closed) return Promise.reject(unavailable('the connection is closed'))
    const { time } = this.#cluster
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#rejects.add(reject)
    const callOffTimeout = time.after(requestTimeoutMs, () => this.close())
    this.#last = this.#last.then(async () => {
      await this.#pause(0.3, 3)
      // A broker gets to what a broken connection left behind when it likes.
      if (this.closed && !this.#isLost) await this.#pause(0, time.random() < 0.7 ? 40 : 300)
      if (this.#isLost) return
      const answer = this.#carryOut(transactionalId, work)
      await this.#pause(0.3, 5)
      callOffTimeout()
      if (!this.#rejects.delete(reject)) return
      if (answer.error === undefined) resolve(answer.value as T)
      else reject(answer.error)
    })
    return promise
  }

  #carryOut<T>(transactionalId: string, work: () => T): { readonly value?: T; readonly error?: unknown } {
    const { coordinator, time } = this.#cluster
    if (coordinator.nodeOf(transactionalId) !== this.#broker.id) return { error: refusal(16) }
    if (time.random() < 0.02) return { error: refusal(time.random() < 0.5 ? 14 : 15) }
    // Its log was slow, or is another's by now: it says that it could not, and yet the record stands (see
    // appendTransactionToLog in Kafka's TransactionStateManager, which makes one code of both).
    if (time.random() < 0.01) return this.#doneAndDenied(work)
    try {
      return { value: work() }
    } catch (error) {
      return { error }
    }
  }

  #doneAndDenied(work: () => unknown): { readonly error: unknown } {
    try {
      work()
      return { error: refusal(this.#cluster.time.random() < 0.5 ? 15 : 16) }
    } catch (error) {
      return { error }
    }
  }

  async #pause(from: number, to: number): Promise<void> {
    const { time } = this.#cluster
    await time.sleep(time.between(from, to))
    while (this.#broker.isFrozen) await time.sleep(10)
  }
}
