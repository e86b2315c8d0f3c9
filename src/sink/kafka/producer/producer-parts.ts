import type { Clock } from '../../../clock.ts'
import type { Meter } from '../../../meter.ts'
import type { BufferPool } from '../record-batch/buffer-pool.ts'
import type { Compression } from '../record-batch/compression.ts'
import type { ProducerIdentity } from '../wire.ts'
import type { Coordinators } from './coordinators.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { BatchLimits } from './refusals.ts'
import type { Transactions, TransactionsParts } from './transactions.ts'

export interface IdempotentProducerSettings {
  readonly compression: Compression
  /** Records queued and unacknowledged; more is a fault of the caller, who has a window. */
  readonly queueLimitBytes: number
  /** How long a partition may go without progress before the producer gives up. */
  readonly deliveryTimeoutMs: number
}

export interface ProducerParts {
  readonly pipeline: string
  readonly identity: ProducerIdentity
  /** Under which the coordinator gave the identity; a later one of it fences this producer. undefined: nobody can. */
  readonly transactionalId?: string | undefined
  /** undefined: records are sent without transactions. They need a transactional id. */
  readonly transactions?: { readonly coordinators: Coordinators; readonly timeoutMs: number } | undefined
  readonly dispatcher: Dispatcher
  readonly limits: BatchLimits
  readonly buffers: BufferPool
  readonly settings: IdempotentProducerSettings
  readonly clock: Clock
  readonly meter: Meter
  /** For tests: a queue whose sequence numbers are about to wrap, or that is broken. */
  readonly createQueue?: () => PartitionQueue
  /** For tests: transactions that are broken. */
  readonly createTransactions?: ((parts: TransactionsParts) => Transactions) | undefined
}
