import { type Clock, systemClock } from '../../../src/clock.ts'
import { silentLogger } from '../../../src/log.ts'
import { silentMeter } from '../../../src/meter.ts'
import { packRecords } from '../../../src/record-headers.ts'
import { Coordinators } from '../../../src/sink/kafka/producer/coordinators.ts'
import { Dispatcher } from '../../../src/sink/kafka/producer/dispatcher.ts'
import { BufferPool } from '../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { TopicLimits } from '../../../src/sink/kafka/topic-limits.ts'
import type { Wire } from '../../../src/sink/kafka/wire.ts'
import { openWireSink } from '../../../src/sink/kafka/wire-sink.ts'
import type { TransactionalSink } from '../../../src/sink/sink.ts'
import { never, record, transactional } from './fixture.ts'

export const nothing = packRecords([])

export function recordsOf(topic: string, values: readonly string[], partition = 0) {
  return packRecords(values.map(value => record(topic, partition, value)))
}

/** A promise that may reject before somebody looks. */
export function looked<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

/** Opens sinks over a wire of the test's own. */
export function sinksOver(wire: Wire, transactionTimeoutMs = 10_000, clock: Clock = systemClock) {
  const settings = { lingerMs: 5, requestBytes: 1 << 20 }
  const dispatcher = new Dispatcher({ wire, settings, clock, log: silentLogger })
  const coordinators = new Coordinators({ wire, clock })
  const parts = {
    capabilities: { headers: true, idempotence: true, transactions: true },
    wire,
    dispatcher,
    coordinators,
    transactionTimeoutMs,
    buffers: new BufferPool(),
    limits: new TopicLimits(1 << 20),
    settings: { compression: 'none', queueLimitBytes: 1 << 20, deliveryTimeoutMs: 60_000 },
    countPartitions: async () => 1,
    clock,
    meter: silentMeter,
  } as const
  return {
    open: async (id: string) => (await openWireSink(parts, transactional(id), never)) as TransactionalSink,
    async [Symbol.asyncDispose]() {
      coordinators[Symbol.dispose]()
      dispatcher[Symbol.dispose]()
      await wire[Symbol.asyncDispose]()
    },
  }
}
