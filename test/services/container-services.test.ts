import { Kafka, logLevel } from 'kafkajs'
import { MongoClient } from 'mongodb'
import { describe, expect, test } from 'vitest'
import { type ContainerParts, startContainers } from '../../src/services/container-services.ts'
import { openServices } from '../../src/services/open-services.ts'
import { eventually } from '../waiting.ts'
import { asProcess, libraryOf, type Runner } from './containers.ts'
import { options } from './servers.ts'

const both = { mongodb: true, kafka: true }

function partsOf(library: ReturnType<typeof libraryOf>): ContainerParts {
  return { answers: async () => true, load: () => library }
}

/** Options that keep what `progress` is told. */
function listening(env: Readonly<Record<string, string | undefined>> = {}) {
  const told: string[] = []
  return { env, progress: (line: string) => void told.push(line), signal: new AbortController().signal, told }
}

test('a MongoDB and a Kafka from containers: a replica set that takes changes, a broker that takes transactions', async () => {
  const library = libraryOf(asProcess)
  const env = { ...process.env, M2K_TEST_MONGODB_URI: '', M2K_TEST_KAFKA_BROKERS: '' }
  await using services = await openServices({ ...options(), env }, partsOf(library))
  expect(library.asked.map(({ image }) => image)).toEqual(['mongo:6.0.5', 'apache/kafka:4.1.1'])
  // Nobody else can reach what asks nobody for a password.
  expect(library.asked.flatMap(({ ports }) => ports.map(({ address }) => address))).toEqual(['127.0.0.1', '127.0.0.1'])

  await using client = new MongoClient(services.mongodbUri)
  const stream = client.db('shop').collection('orders').watch()
  expect(await stream.tryNext()).toBeNull() // It is open from here on.
  await client.db('shop').collection('orders').insertOne({ a: 1 })
  expect(await stream.next()).toMatchObject({ operationType: 'insert' })
  await stream.close()

  const kafka = new Kafka({ brokers: [...services.kafkaBrokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const topic = 'orders'
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] })
  const producer = kafka.producer({ transactionalId: 'a', maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value: 'a' }] })
  await transaction.commit()
  // The record and the commit's marker, which the broker writes after its answer.
  const written = async () => (await admin.fetchTopicOffsets(topic))[0]?.high === '2' || undefined
  await eventually(written, 'the end of the transaction')
  await producer.disconnect()
  await admin.disconnect()
})

describe('there are other ways', () => {
  const unused: ContainerParts = {
    answers: () => expect.unreachable('asked for the engine'),
    load: () => expect.unreachable('loaded the library'),
  }

  test('nothing is wanted, or containers are not', async () => {
    expect(await startContainers({ mongodb: false, kafka: false }, listening(), unused)).toBeUndefined()
    expect(await startContainers(both, listening({ M2K_TEST_CONTAINERS: 'no' }), unused)).toBeUndefined()
  })

  test('where no engine answers the library is not loaded', async () => {
    const parts = { ...unused, answers: async () => false }
    expect(await startContainers(both, listening(), parts)).toBeUndefined()
  })

  test('where the library is not installed', async () => {
    const parts = { answers: async () => true, load: () => undefined }
    expect(await startContainers(both, listening(), parts)).toBeUndefined()
  })

  test('where it fails: what was started before is stopped, and people are told', async () => {
    const stopped: string[] = []
    const run: Runner = async asked => {
      if (asked.image.startsWith('apache/kafka')) throw new Error('manifest unknown')
      const container = await asProcess(asked)
      return {
        async stop() {
          await container.stop()
          stopped.push(asked.image)
        },
      }
    }
    const there = listening(process.env)
    expect(await startContainers(both, there, partsOf(libraryOf(run)))).toBeUndefined()
    expect(there.told.at(-1)).toContain('manifest unknown')
    expect(stopped).toEqual(['mongo:6.0.5'])
  })
})

test('services of the environment are not started', async () => {
  const env = { M2K_TEST_MONGODB_URI: 'mongodb://a/', M2K_TEST_KAFKA_BROKERS: 'b:1, c:2' }
  const library = libraryOf(() => expect.unreachable('started a container'))
  await using services = await openServices(listening(env), partsOf(library))
  expect(services).toMatchObject({ mongodbUri: 'mongodb://a/', kafkaBrokers: ['b:1', 'c:2'] })
})

test('an abort is heard while an image is fetched, and what starts after it is stopped', async () => {
  const stop = new AbortController()
  const fetched = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<string>()
  const run: Runner = async ({ image }) => {
    stop.abort(new Error('enough'))
    await fetched.promise
    return { stop: async () => stopped.resolve(image) }
  }
  const starting = startContainers(both, { ...listening(), signal: stop.signal }, partsOf(libraryOf(run)))
  await expect(starting).rejects.toThrow('enough')
  fetched.resolve()
  expect(await stopped.promise).toBe('mongo:6.0.5')
})

test('on the engine of another machine ports are reached there, and the driver stays with that address', async () => {
  const library = libraryOf(async () => {
    throw new Error('enough')
  }, 'build.example')
  await startContainers({ mongodb: false, kafka: true }, listening(), partsOf(library))
  const { environment, ports } = library.asked[0]!
  const [port] = ports
  expect(environment.KAFKA_ADVERTISED_LISTENERS).toBe(`PLAINTEXT://build.example:${port?.host}`)
  expect(environment.KAFKA_LISTENERS).toContain(`PLAINTEXT://0.0.0.0:${port?.container}`)
  expect(port?.host).toBe(port?.container)
  expect(port?.address).toBe('0.0.0.0')
})
