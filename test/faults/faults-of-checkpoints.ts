import { Kafka, logLevel, type Message } from 'kafkajs'
import { parseCheckpoint, serializeCheckpoint } from '../../src/checkpoint/format.ts'
import { type Fault, restartLimitMs, savesInKafka } from './fault.ts'
import type { Session, StoredCheckpoint } from './session.ts'
import { until } from './until.ts'

const noticeLimitMs = 120_000
/** An hour, in units of cluster time. */
const ahead = 3_600n << 32n

const epochsAhead = 1_000

interface Damage {
  readonly name: string
  readonly endsWith: string
  readonly change: (stored: Buffer) => Buffer
}

const damages: readonly Damage[] = [
  {
    name: 'a backup restored: the checkpoint is later than MongoDB',
    endsWith: 'SOURCE_FROM_FUTURE',
    change: stored => {
      const checkpoint = parseCheckpoint(stored, 'the last record')
      const clusterTime = String(BigInt(checkpoint.position.clusterTime) + ahead)
      return serializeCheckpoint({ ...checkpoint, position: { kind: 'time', token: null, clusterTime } })
    },
  },
  {
    name: 'a corrupt checkpoint',
    endsWith: 'CHECKPOINT_CORRUPT',
    change: stored => stored.with(stored.length >> 1, 0) as Buffer,
  },
]

/** The pipeline says what is wrong and stops; with the checkpoint put back it goes on as if nothing had been. */
export const checkpointFaults: readonly Fault[] = damages.map(({ name, endsWith, change }) => ({
  name,
  recoveryLimitMs: restartLimitMs,
  mayEndWith: endsWith,
  fits: savesInKafka,
  async inject(session) {
    const kept = session.daemons.filter(daemon => daemon.kept) // A copy that an earlier fault left stays away.
    await Promise.all(kept.map(daemon => daemon.stop('SIGKILL')))
    const stored = await session.checkpoints()
    const damaged = stored.map(({ value, ...rest }) => ({ ...rest, value: Buffer.from(change(value)) }))
    await write(session, damaged)
    await Promise.all(kept.map(daemon => daemon.start()))
    const isNoticed = () => kept.some(({ output }) => output.includes(endsWith))
    await until(isNoticed, endsWith, noticeLimitMs).catch(() => undefined)
    const noticed = isNoticed()
    const heal = async () => {
      await Promise.all(kept.map(daemon => daemon.stop('SIGKILL')))
      await write(session, stored.map(restored))
      await Promise.all(kept.map(daemon => daemon.start()))
    }
    return { bites: () => noticed, heal }
  },
}))

/** Of a later epoch than whatever was written meanwhile: the store passes over an earlier one. */
function restored(record: StoredCheckpoint): StoredCheckpoint {
  const checkpoint = parseCheckpoint(record.value, 'the last record')
  return { ...record, value: serializeCheckpoint({ ...checkpoint, epoch: checkpoint.epoch + epochsAhead }) }
}

async function write(session: Session, records: readonly StoredCheckpoint[]): Promise<void> {
  const kafka = new Kafka({ brokers: [...session.servers.kafka.brokers], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  try {
    const messages: Message[] = records.map(({ key, value, partition }) => ({ key, value, partition }))
    await producer.send({ topic: session.checkpointTopic, acks: -1, messages })
  } finally {
    await producer.disconnect()
  }
}
