import { Kafka, logLevel, type Producer } from 'kafkajs'
import { inject } from 'vitest'
import type { TransactionalStore } from '../../src/checkpoint/checkpoint.ts'
import { type KafkaCheckpointOptions, openKafkaCheckpoints } from '../../src/checkpoint/kafka.ts'
import type { KafkaAccess } from '../../src/checkpoint/kafka-connection.ts'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import type { Records } from '../../src/record.ts'
import { outRecord } from '../../src/record-headers.ts'
import { faultOf } from '../../src/sink/kafka/classify.ts'
import { createClient } from '../../src/sink/kafka/client.ts'
import { PartitionReader, type ReaderLimits } from '../../src/sink/kafka/reading/partition-reader.ts'

export const never = new AbortController().signal
export const brokers = inject('kafkaBrokers')
export const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
let topics = 0

export function freshTopic(): string {
  topics += 1
  return `checkpoints-${process.pid}-${topics}`
}

/** What the composition root gives the store; `at`: where Kafka is said to be. */
export function accessTo(at: readonly string[] = brokers, limits: Partial<ReaderLimits> = {}): KafkaAccess {
  const settings = { brokers: at, clientId: 'test' }
  return {
    reader: new PartitionReader({ settings, clock: systemClock, limits }),
    connect: patience => createClient({ settings, log: silentLogger, clock: systemClock, patience }),
    faultOf,
    clock: systemClock,
  }
}

export function openStore(topic: string, options: Partial<KafkaCheckpointOptions> = {}): Promise<TransactionalStore> {
  return openKafkaCheckpoints({ ...accessTo(), deployment: 'shop', topic, replication: 1, ...options }, never)
}

export function transactionalProducer(transactionalId: string): Producer {
  return kafka.producer({
    transactionalId,
    maxInFlightRequests: 1,
    idempotent: true,
    transactionTimeout: 60_000,
    createPartitioner: () => args => args.message.partition ?? 0,
  })
}

/** `records` as kafkajs sends them. */
export function messagesOf(records: Records) {
  const { topic, partition, key, value } = outRecord(records, 0)
  return { topic, messages: [{ partition, key, value }] }
}
