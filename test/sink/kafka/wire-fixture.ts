import { createServer, type Socket } from 'node:net'
import { createRecordsBatch } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { systemClock } from '../../../src/clock.ts'
import { Retryable } from '../../../src/errors.ts'
import type { KafkaSettings } from '../../../src/sink/kafka/settings.ts'
import type { ProduceBatch, ProducerIdentity, Wire } from '../../../src/sink/kafka/wire.ts'
import { createWire, defaultWireLimits, type WireLimits } from '../../../src/sink/kafka/wire-platformatic.ts'
import { createTopic } from './create-topic.ts'
import { freshTopic, never } from './fixture.ts'

export function wireFor(
  brokers: readonly string[],
  limits: Partial<WireLimits> = {},
  security: Pick<KafkaSettings, 'tls' | 'login'> = {},
): Wire {
  const settings = { brokers, clientId: 'mongo2kafka-test', ...security }
  return createWire({ settings, limits: { ...defaultWireLimits, ...limits }, clock: systemClock })
}

/** A batch without producer id, as @platformatic/kafka encodes it. */
export function batchOf(topic: string, partition: number, values: readonly string[], key: Buffer | null = null) {
  const timestamp = 1_700_000_000_000n
  const messages = values.map(value => ({
    topic,
    partition,
    timestamp,
    ...(key && { key }),
    value: Buffer.from(value),
  }))
  return { topic, partition, bytes: createRecordsBatch(messages, {}).buffer } satisfies ProduceBatch
}

/** A new topic that is led. */
export async function makeTopic(
  brokers: readonly string[],
  partitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<string> {
  const topic = freshTopic('wire')
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  try {
    await admin.connect()
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    await createTopic(admin, { topic, numPartitions: partitions, replicationFactor: 1, configEntries })
    return topic
  } finally {
    await admin.disconnect()
  }
}

/** A broker that has just started answers 14 (COORDINATOR_LOAD_IN_PROGRESS) until it has a block of ids. */
export async function identityOf(wire: Wire): Promise<ProducerIdentity> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await wire.initProducerId(never)
    } catch (error) {
      if (attempt === 100 || !(error instanceof Retryable)) throw error
      await systemClock.sleep(100)
    }
  }
}

/** A server that answers as `answer` says, and knows who is connected. */
export async function fakeServer(onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    onSocket(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    address: { host: '127.0.0.1', port: address.port },
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Answers each request of `socket` with what `body` makes of its number (from 0) and bytes; undefined: not at all. */
export function answering(socket: Socket, body: (index: number, request: Buffer) => Buffer | undefined): void {
  let chunks: Buffer[] = []
  let length = 0
  let requests = 0
  socket.on('data', chunk => {
    chunks.push(chunk)
    length += chunk.length
    if (chunks[0]!.length < 4) chunks = [Buffer.concat(chunks)]
    while (length >= 4 && length >= 4 + chunks[0]!.readInt32BE(0)) {
      const buffered = Buffer.concat(chunks)
      const request = buffered.subarray(4, 4 + buffered.readInt32BE(0))
      chunks = [buffered.subarray(4 + request.length)]
      length -= 4 + request.length
      const answer = body(requests, request)
      requests += 1
      if (answer === undefined) continue
      const head = Buffer.alloc(8)
      head.writeInt32BE(4 + answer.length, 0)
      request.copy(head, 4, 4, 8) // The correlation id.
      socket.write(Buffer.concat([head, answer]))
    }
  })
}
