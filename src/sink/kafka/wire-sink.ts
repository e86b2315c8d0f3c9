import { type Clock, steady } from '../../clock.ts'
import { withDeadline } from '../../deadline.ts'
import { Configuration, type Fault, Retryable } from '../../errors.ts'
import type { Meter } from '../../meter.ts'
import type { Records } from '../../record.ts'
import { backOffMs } from '../../retry.ts'
import type { Capabilities, Sink, SinkRequest, TopicSpec, TransactionalSink } from '../sink.ts'
import type { Coordinators } from './producer/coordinators.ts'
import type { Dispatcher } from './producer/dispatcher.ts'
import { Producer } from './producer/producer.ts'
import type { IdempotentProducerSettings } from './producer/producer-parts.ts'
import type { BatchLimits } from './producer/refusals.ts'
import type { BufferPool } from './record-batch/buffer-pool.ts'
import type { ProducerIdentity, Wire } from './wire.ts'

/** Between attempts to get a producer id. */
const openBackOff = { initialMs: 100, maxMs: 1_000 }
const openLimitMs = 30_000

export interface WireSinkParts {
  readonly capabilities: Capabilities
  readonly wire: Wire
  /** One for all sinks of the target. */
  readonly dispatcher: Dispatcher
  /** One for all sinks of the target. */
  readonly coordinators: Coordinators
  /** After so long the coordinator aborts a transaction that was not ended. */
  readonly transactionTimeoutMs: number
  /** One for all sinks of the target. */
  readonly buffers: BufferPool
  readonly limits: BatchLimits
  readonly settings: IdempotentProducerSettings
  readonly countPartitions: (topic: string, spec: TopicSpec, signal: AbortSignal) => Promise<number>
  readonly clock: Clock
  readonly meter: Meter
}

/** Kafka by our own record batches over a `Wire`: several batches on the way at a time, none lost or repeated. */
export class WireSink implements Sink {
  readonly capabilities: Capabilities
  readonly #countPartitions: WireSinkParts['countPartitions']
  readonly #producer: Producer

  constructor(parts: WireSinkParts, producer: Producer) {
    this.capabilities = parts.capabilities
    this.#countPartitions = parts.countPartitions
    this.#producer = producer
  }

  partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    return this.#countPartitions(topic, spec, signal)
  }

  send(records: Records, signal: AbortSignal): Promise<void> {
    return this.#producer.send(records, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer[Symbol.asyncDispose]()
  }
}

/** The same in transactions. A transaction begins with the first record after the last commit. */
class TransactionalWireSink extends WireSink implements TransactionalSink {
  readonly #transactions: Producer

  constructor(parts: WireSinkParts, producer: Producer) {
    super(parts, producer)
    this.#transactions = producer
  }

  commit(also: Records, signal: AbortSignal): Promise<void> {
    return this.#transactions.commit(also, signal)
  }
}

/**
 * Opens a sink: asks for an identity, and with a transactional id thereby fences every earlier sink of it and ends its
 * open transaction. A cluster that has just started may give no identity for some seconds, and a transaction that is
 * being committed is waited for. Throws Retryable or Configuration.
 */
export async function openWireSink(
  parts: WireSinkParts,
  request: SinkRequest,
  signal: AbortSignal,
): Promise<WireSink | TransactionalSink> {
  const { pipeline, transactionalId } = request
  if (transactionalId === undefined) {
    if (request.transactions) throw new Configuration('INTERNAL', 'transactions need a transactional id')
    return new WireSink(parts, new Producer({ ...parts, pipeline, identity: await plainIdentity(parts, signal) }))
  }
  const identity = await fence(parts, transactionalId, signal)
  if (!request.transactions) return new WireSink(parts, new Producer({ ...parts, pipeline, identity, transactionalId }))
  const { coordinators, transactionTimeoutMs: timeoutMs } = parts
  const transactions = { coordinators, timeoutMs }
  return new TransactionalWireSink(parts, new Producer({ ...parts, pipeline, identity, transactionalId, transactions }))
}

async function plainIdentity(parts: WireSinkParts, signal: AbortSignal): Promise<ProducerIdentity> {
  const { wire } = parts
  const clock = steady(parts.clock)
  const untilMs = clock.nowMs() + openLimitMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await wire.initProducerId(signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Retryable) || clock.nowMs() >= untilMs) throw error
      await clock.sleep(backOffMs(openBackOff, attempt, clock), signal)
    }
  }
}

/** Asked again after no answer: then two epochs were given, and the later one counts. */
async function fence(parts: WireSinkParts, transactionalId: string, signal: AbortSignal): Promise<ProducerIdentity> {
  const { coordinators, transactionTimeoutMs } = parts
  const giveUp = new AbortController()
  let trouble: Fault | undefined
  const asking = coordinators.ask(
    transactionalId,
    to => to.initProducerId(transactionalId, transactionTimeoutMs),
    'after-no-answer',
    giveUp.signal,
    fault => {
      trouble = fault
    },
  )
  return await withDeadline(asking, {
    limitMs: openLimitMs,
    late: () => noEpoch(transactionalId, trouble),
    clock: steady(parts.clock),
    signal,
    onEnd: error => giveUp.abort(error),
  })
}

/** `cause`: what the last attempt ended with, a login file that cannot be read for one. */
function noEpoch(transactionalId: string, cause: Fault | undefined): Retryable {
  const message = `Kafka gave no epoch for ${transactionalId} in ${openLimitMs} ms`
  if (cause === undefined) return new Retryable('SINK_UNAVAILABLE', message)
  return new Retryable('SINK_UNAVAILABLE', `${message}: ${cause.message}`, { cause })
}
