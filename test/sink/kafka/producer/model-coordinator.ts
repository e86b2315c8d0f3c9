import type {
  ProducerIdentity,
  TopicPartition,
  TransactionalIdentity,
  TransactionDescription,
} from '../../../../src/sink/kafka/wire.ts'
import type { ReadBatch } from './batch-reader.ts'
import type { ModelCluster } from './model-cluster.ts'
import { refusal } from './model-faults.ts'
import type { Outcome } from './model-log.ts'

type State = 'empty' | 'ongoing' | 'ending' | 'commit' | 'abort'

/** What the coordinator knows of one transactional id. */
interface Entry {
  readonly producerId: bigint
  producerEpoch: number
  /** ending: the outcome is durable, its markers are being written; commit, abort: they are written. */
  state: State
  ending: Outcome
  /** Topic and partition as one word. */
  readonly partitions: Set<string>
  timeoutMs: number
  callOffTimeout: () => void
}

/**
 * Kafka's transaction coordinators, as far as clients before transaction.version=2 see them (TransactionCoordinator and
 * TransactionMetadata): what is decided is decided for good, whichever broker coordinates next.
 */
export class ModelCoordinator {
  readonly #cluster: ModelCluster
  readonly #entries = new Map<string, Entry>()
  commits = 0
  timeouts = 0
  describes = true

  constructor(cluster: ModelCluster) {
    this.#cluster = cluster
  }

  /** Who coordinates the id; undefined: nobody at present. */
  nodeOf(transactionalId: string): number | undefined {
    const { brokers } = this.#cluster
    const first = Number(transactionalId.slice(-1)) % brokers.length
    return [...brokers.slice(first), ...brokers.slice(0, first)].find(({ isUp }) => isUp)?.id
  }

  initProducerId(transactionalId: string, timeoutMs: number): ProducerIdentity {
    let entry = this.#entries.get(transactionalId)
    if (entry === undefined) {
      const producerId = this.#cluster.nextProducerId()
      const nothing = {
        state: 'empty',
        ending: 'abort',
        partitions: new Set<string>(),
        callOffTimeout: () => {},
      } as const
      entry = { producerId, producerEpoch: -1, timeoutMs, ...nothing }
      this.#entries.set(transactionalId, entry)
    }
    if (entry.state === 'ending') throw refusal(51)
    if (entry.state === 'ongoing') {
      this.#fence(entry)
      throw refusal(51)
    }
    entry.producerEpoch += 1
    entry.state = 'empty'
    return { producerId: entry.producerId, producerEpoch: entry.producerEpoch }
  }

  addPartitions(identity: TransactionalIdentity, partitions: readonly TopicPartition[]): void {
    const entry = this.#entryOf(identity)
    if (entry.state === 'ending') throw refusal(51)
    if (entry.state !== 'ongoing') {
      entry.state = 'ongoing'
      entry.partitions.clear()
      entry.callOffTimeout = this.#cluster.time.after(entry.timeoutMs, () => {
        this.timeouts += 1
        this.#fence(entry)
      })
    }
    for (const { topic, partition } of partitions) entry.partitions.add(`${topic}/${partition}`)
  }

  endTransaction(identity: TransactionalIdentity, outcome: Outcome): void {
    const entry = this.#entryOf(identity)
    if (entry.state === outcome) return
    if (entry.state === 'ending' && entry.ending === outcome) throw refusal(51)
    if (entry.state !== 'ongoing') throw refusal(48)
    if (outcome === 'commit') this.commits += 1
    this.#end(entry, outcome)
  }

  /** undefined: a broker before Kafka 3.0. */
  describeTransaction(transactionalId: string): TransactionDescription | undefined {
    if (!this.describes) return undefined
    const entry = this.#entries.get(transactionalId)
    if (entry === undefined) throw refusal(105)
    const { producerId, producerEpoch, state, ending } = entry
    const isAbort = ending === 'abort'
    const ended = {
      ending: isAbort ? 'PrepareAbort' : 'PrepareCommit',
      commit: 'CompleteCommit',
      abort: 'CompleteAbort',
    }
    const names: Readonly<Record<State, string>> = { empty: 'Empty', ongoing: 'Ongoing', ...ended }
    return { producerId, producerEpoch, state: names[state] }
  }

  /** A batch that no marker will follow hides all that comes after it, for ever. */
  noteAppended({ isTransactional, producerId, producerEpoch, values }: ReadBatch, place: string): void {
    if (!isTransactional) return
    const entry = this.#entries.values().find(known => known.producerId === producerId)
    const isOpen = entry?.state === 'ending' || (entry?.state === 'ongoing' && entry.producerEpoch === producerEpoch)
    if (isOpen && entry.partitions.has(place)) return
    this.#cluster.violations.push(`${values.join()} is in ${place} without a transaction`)
  }

  #entryOf({ transactionalId, producerId, producerEpoch }: TransactionalIdentity): Entry {
    const entry = this.#entries.get(transactionalId)
    if (entry === undefined || entry.producerId !== producerId) throw refusal(49)
    if (entry.producerEpoch !== producerEpoch) throw refusal(47)
    return entry
  }

  /** Aborts under a new epoch: whoever had the last one is refused from now on. */
  #fence(entry: Entry): void {
    entry.producerEpoch += 1
    this.#end(entry, 'abort')
  }

  #end(entry: Entry, outcome: Outcome): void {
    const { time } = this.#cluster
    entry.callOffTimeout()
    entry.state = 'ending'
    entry.ending = outcome
    time.after(time.between(0.5, 15), () => {
      for (const place of entry.partitions) {
        const [topic = '', partition] = place.split('/')
        this.#cluster.log(topic, Number(partition)).mark(entry.producerId, entry.producerEpoch, outcome)
      }
      entry.state = outcome
    })
  }
}
