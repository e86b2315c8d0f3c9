import type { Consumer, EachBatchPayload } from 'kafkajs'
import { type KafkaAccess, type KafkaConnection, within } from './kafka-connection.ts'

const readLimitMs = 60_000
const deleteLimitMs = 3_000
const coordinatorPauseMs = 200
/** GROUP_LOAD_IN_PROGRESS, GROUP_COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR_FOR_GROUP. */
const coordinatorBusy: ReadonlySet<unknown> = new Set([14, 15, 16])

/** A stored record: what it says and where it lies. */
export interface StoredRecord {
  readonly bytes: Buffer
  /** `topic-partition@offset` for messages. */
  readonly where: string
}

export interface ReadRequest {
  readonly topic: string
  /** Offset of the last record to read, by partition. The records exist. */
  readonly last: ReadonlyMap<number, number>
}

/**
 * The latest record of every key, read up to and with `last`. The consumer's group is a throw-away: nothing is
 * committed, and it is deleted afterwards. Throws kafkajs's errors, or Retryable CHECKPOINT_UNAVAILABLE.
 */
export async function readLatest(
  access: KafkaAccess,
  request: ReadRequest,
  signal: AbortSignal,
): Promise<Map<string, StoredRecord>> {
  const untilMs = access.clock.nowMs() + readLimitMs
  for (;;) {
    try {
      return await readOnce(access, request, signal)
    } catch (error) {
      if (!isCoordinatorBusy(error) || access.clock.nowMs() >= untilMs) throw error
      await access.clock.sleep(coordinatorPauseMs, signal)
    }
  }
}

/** Just after a broker's start, while it loads its groups; kafkajs does not try these again when joining. */
function isCoordinatorBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && coordinatorBusy.has(error.code)
}

async function readOnce(
  access: KafkaAccess,
  request: ReadRequest,
  signal: AbortSignal,
): Promise<Map<string, StoredRecord>> {
  const connection = access.connect('once')
  const chance = Math.floor(access.clock.random() * 2 ** 48).toString(36)
  const groupId = `${request.topic}.reader-${access.clock.nowMs().toString(36)}-${chance}`
  const consumer = connection.kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    readUncommitted: true,
    maxWaitTimeInMs: 100,
    retry: { retries: 5, restartOnFailure: async () => false },
  })
  const latest = new Map<string, StoredRecord>()
  try {
    const read = consume(consumer, request, latest)
    await within(read, readLimitMs, `read topic ${request.topic}`, { access, connection, signal })
    await forget(access, connection, consumer, groupId)
  } finally {
    connection.cut('the checkpoints are read')
  }
  return latest
}

async function consume(consumer: Consumer, request: ReadRequest, latest: Map<string, StoredRecord>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  promise.catch(() => {}) // A crash while it still connects is thrown by what connects.
  consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
  const open = new Map(request.last)
  const eachBatch = async ({ batch }: EachBatchPayload) => {
    for (const { key, value, offset } of batch.messages) {
      const where = `${batch.topic}-${batch.partition}@${offset}`
      if (value === null) latest.delete(String(key))
      else latest.set(String(key), { bytes: value, where })
      if (Number(offset) >= (open.get(batch.partition) ?? Number.POSITIVE_INFINITY)) open.delete(batch.partition)
    }
    if (open.size === 0) resolve()
  }
  await consumer.connect()
  await consumer.subscribe({ topics: [request.topic], fromBeginning: true })
  await consumer.run({ autoCommit: false, eachBatch })
  await promise
}

/** Best effort: a group without members and offsets disappears by itself, only later. */
async function forget(
  access: KafkaAccess,
  connection: KafkaConnection,
  consumer: Consumer,
  groupId: string,
): Promise<void> {
  const admin = connection.kafka.admin()
  const leave = async () => {
    await consumer.disconnect()
    await admin.connect()
    await admin.deleteGroups([groupId])
    await admin.disconnect()
  }
  await within(leave(), deleteLimitMs, 'delete the reading group', { access, connection }).catch(() => {})
}
