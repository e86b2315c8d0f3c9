import { openKafkaCheckpoints } from '../../src/checkpoint/kafka.ts'
import type { KafkaAccess } from '../../src/checkpoint/kafka-connection.ts'
import { KafkaWriter } from '../../src/checkpoint/kafka-writer.ts'
import { systemClock } from '../../src/clock.ts'
import { Retryable } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { outRecord } from '../../src/record-headers.ts'
import { faultOf } from '../../src/sink/kafka/classify.ts'
import { createClient } from '../../src/sink/kafka/client.ts'
import { PartitionReader } from '../../src/sink/kafka/reading/partition-reader.ts'
import type { TransactionalSink } from '../../src/sink/sink.ts'
import { targetFor, transactional } from '../sink/kafka/fixture.ts'

const never = new AbortController().signal
const recordsARequest = 2_000
/** At once, of those that are transactions: each costs round trips and little else. */
const producers = 8

export interface History {
  readonly brokers: readonly string[]
  readonly deployment: string
  readonly pipeline: string
  readonly slots: number
  /** In all, the same number for each slot. */
  readonly commits: number
  /** Of these, the last ones: each is a transaction of its own and leaves a marker. */
  readonly transactions: number
}

function accessTo(brokers: readonly string[]): KafkaAccess {
  const settings = { brokers, clientId: 'test' }
  return {
    reader: new PartitionReader({ settings, clock: systemClock }),
    connect: patience => createClient({ settings, log: silentLogger, clock: systemClock, patience }),
    faultOf,
    clock: systemClock,
  }
}

/**
 * Adds commits to the checkpoint topic of a deployment that has run and stopped, by our own writer and sink: what is stored
 * for each slot is saved again and again, so that the deployment can go on from there.
 */
export async function addCommits(history: History): Promise<void> {
  const { brokers, deployment, pipeline, slots, commits, transactions } = history
  const options = { ...accessTo(brokers), deployment, slots, replication: 1 }
  await using store = await openKafkaCheckpoints(options, never)
  const stored = await Promise.all(Array.from({ length: slots }, (_, slot) => store.load(pipeline, slot, never)))
  let written = 0
  const next = () => {
    const slot = written++ % slots
    if (stored[slot] === undefined) throw new Error(`slot ${slot} has never saved`)
    return store.toRecords({ ...stored[slot], savedAtMs: stored[slot].savedAtMs + Math.floor(written / 1_000) })
  }
  const keyed = () => {
    const { key, value, partition } = outRecord(next(), 0)
    return { key: key.toString(), partition, bytes: Buffer.from(value!) }
  }
  const writer = new KafkaWriter(accessTo(brokers), `mongo2kafka.${deployment}.checkpoints`)
  while (written < commits - transactions) {
    const length = Math.min(recordsARequest, commits - transactions - written)
    const records = Array.from({ length }, keyed)
    await untilTaken(() => writer.write(records))
  }
  await writer.close()
  await using target = targetFor(brokers)
  await target.check(never)
  const commitOn = async (_: unknown, producer: number) => {
    const open = () => target.open(transactional(`${deployment}.h${producer}`), never) as Promise<TransactionalSink>
    while (written < commits) {
      await untilTaken(async () => {
        await using sink = await open() // After a failure it takes no more.
        while (written < commits) await sink.commit(next(), never)
      })
    }
  }
  await Promise.all(Array.from({ length: producers }, commitOn))
}

/** A machine that does other things too may need longer for an answer than a worker would wait. */
async function untilTaken(work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (!(error instanceof Retryable)) throw error
    }
  }
}

/** What a worker reads that takes these slots. */
export interface Load {
  readonly records: number
  readonly bytes: number
  readonly tookMs: number
}

/** Reads the partitions of `slots`, all at once, as a worker does that takes them. */
export async function readSlots(brokers: readonly string[], topic: string, slots: readonly number[]): Promise<Load> {
  await using reader = new PartitionReader({ settings: { brokers, clientId: 'test' }, clock: systemClock })
  const beganMs = systemClock.nowMs()
  let records = 0
  const read = async (slot: number) => {
    for await (const batch of reader.readPartition(topic, slot, 0n, { isolation: 'read_committed' }, never)) {
      records += batch.length
    }
  }
  await Promise.all(slots.map(read))
  return { records, bytes: reader.fetchedBytes, tookMs: systemClock.nowMs() - beganMs }
}
