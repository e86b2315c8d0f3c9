import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { type Document, MongoClient } from 'mongodb'
import { parseCheckpoint, serializeCheckpoint } from '../../src/checkpoint/format.ts'
import { storeCollection } from './deployment.ts'
import type { FetchedRecord } from './fetch-connection.ts'

/** A position of one slot, as it is stored, wherever that is. */
export interface StoredCheckpoint {
  readonly value: Buffer
  /** Puts another value in its place. No daemon may run. */
  readonly write: (value: Buffer) => Promise<void>
}

/** The last checkpoints of a topic, by their keys. */
export class CheckpointRecords {
  readonly #topic: string
  readonly #brokers: readonly string[]
  readonly #last = new Map<string, { readonly key: Buffer; readonly value: Buffer; readonly partition: number }>()

  constructor(topic: string, brokers: readonly string[]) {
    this.#topic = topic
    this.#brokers = brokers
  }

  /** Takes a record that the topic has; what is no checkpoint, or a damaged one, is passed over. */
  see(partition: number, { key, value }: FetchedRecord): void {
    if (key === null || value === null || !/\/\d+$/.test(String(key))) return
    try {
      parseCheckpoint(value, 'the record')
      this.#last.set(String(key), { key, value, partition })
    } catch {
      // One that a fault has damaged; the daemon must say so, and does not write any itself.
    }
  }

  all(): StoredCheckpoint[] {
    return [...this.#last.values()].map(({ key, value, partition }) => ({
      value: Buffer.from(value),
      write: changed => this.#send({ key: Buffer.from(key), value: changed, partition }),
    }))
  }

  async #send(message: { key: Buffer; value: Buffer; partition: number }): Promise<void> {
    const kafka = new Kafka({ brokers: [...this.#brokers], logLevel: logLevel.NOTHING })
    const producer = kafka.producer({ allowAutoTopicCreation: false })
    await producer.connect()
    try {
      await producer.send({ topic: this.#topic, acks: -1, messages: [message] })
    } finally {
      await producer.disconnect()
    }
  }
}

/** The checkpoints in a directory. */
export async function checkpointFiles(directory: string): Promise<StoredCheckpoint[]> {
  const files = (await readdir(directory)).filter(name => name.endsWith('.checkpoint'))
  return Promise.all(
    files.map(async name => {
      const file = join(directory, name)
      return { value: await readFile(file), write: (value: Buffer) => writeFile(file, value) }
    }),
  )
}

interface KeptText {
  readonly _id: Document
  readonly text: string
}

/** The checkpoints in a database of MongoDB. */
export async function checkpointDocuments(uri: string, database: string): Promise<StoredCheckpoint[]> {
  await using client = new MongoClient(uri)
  const kept = client.db(database).collection<KeptText>(storeCollection)
  const found = await kept.find({ '_id.kind': 'checkpoint' }, { readConcern: 'majority' }).toArray()
  return found.map(({ _id, text }) => ({
    value: Buffer.from(text),
    write: value => replaceText(uri, database, _id, value),
  }))
}

/** The epoch beside the text is the one within it, where that can be read. */
async function replaceText(uri: string, database: string, _id: Document, value: Buffer): Promise<void> {
  await using client = new MongoClient(uri)
  const kept = client.db(database).collection<KeptText>(storeCollection)
  const set = { text: String(value), ...epochIn(value) }
  await kept.updateOne({ _id }, { $set: set }, { writeConcern: { w: 'majority' } })
}

function epochIn(value: Buffer): { epoch?: number } {
  try {
    return { epoch: parseCheckpoint(value, 'the text').epoch }
  } catch {
    return {}
  }
}

const epochsAhead = 1_000

/** Of a later epoch than whatever was written meanwhile: the store passes over an earlier one. */
export function ofLaterEpoch(value: Buffer): Buffer {
  const checkpoint = parseCheckpoint(value, 'the last checkpoint')
  return serializeCheckpoint({ ...checkpoint, epoch: checkpoint.epoch + epochsAhead })
}
