import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { startBroker } from '../../../src/services/broker.ts'
import { freePort } from '../../../src/services/ports.ts'
import type { Broker } from '../../../src/services/services.ts'
import type { BrokerConnection, Wire } from '../../../src/sink/kafka/wire.ts'
import { defaultWireLimits, probeWire } from '../../../src/sink/kafka/wire-platformatic.ts'
import { options, soonBack } from '../../services/servers.ts'
import { freshTopic, never, readTopic, settingsFor } from './fixture.ts'
import { answering, batchOf, fakeServer, identityOf, makeTopic, wireFor } from './wire-fixture.ts'

const unavailable = { name: 'Retryable', code: 'SINK_UNAVAILABLE' }

/** Connected to the leader of partition 0. */
async function leaderOf(wire: Wire, topic: string): Promise<BrokerConnection> {
  const [found] = await wire.leaders([topic], never)
  return wire.connect(found!.leaders[0]!, never)
}

describe('the wire', () => {
  const brokers = inject('kafkaBrokers')

  it('delivers batches of several topics and partitions, and says where', async () => {
    await using wire = wireFor(brokers)
    const [one, two] = [await makeTopic(brokers, 2), await makeTopic(brokers, 1)]
    const leader = await leaderOf(wire, one)
    const batches = [batchOf(one, 1, ['a', 'b']), batchOf(two, 0, ['c']), batchOf(one, 0, ['d', 'e'])]
    const first = await leader.produce(batches)
    const second = await leader.produce(batches.slice(0, 1))
    const taken = { errorCode: 0, rejected: [] }
    expect(first.results).toEqual([
      { topic: one, partition: 1, baseOffset: 0n, ...taken },
      { topic: two, partition: 0, baseOffset: 0n, ...taken },
      { topic: one, partition: 0, baseOffset: 0n, ...taken },
    ])
    expect(second.results).toEqual([{ topic: one, partition: 1, baseOffset: 2n, ...taken }])
    const read = await readTopic(brokers, one)
    const valuesOf = (partition: number) => read.filter(r => r.partition === partition).map(({ value }) => value)
    expect([0, 1].map(valuesOf)).toEqual([
      ['d', 'e'],
      ['a', 'b', 'a', 'b'],
    ])
  })

  it('keeps the order of pipelined requests, large and small', async () => {
    await using wire = wireFor(brokers)
    const topic = await makeTopic(brokers, 1)
    const leader = await leaderOf(wire, topic)
    const values = Array.from({ length: 60 }, (_, i) => String(i).padEnd(i % 3 === 0 ? 700_000 : 10, '.'))
    const answers = await Promise.all(values.map(value => leader.produce([batchOf(topic, 0, [value])])))
    expect(answers.map(({ results }) => results[0]?.baseOffset)).toEqual(values.map((_, i) => BigInt(i)))
    const read = await readTopic(brokers, topic)
    expect(read.map(({ value }) => Number.parseInt(value ?? '', 10))).toEqual(values.map((_, i) => i))
  })

  it('reports errors by partition, and the connection lives on', async () => {
    await using wire = wireFor(brokers)
    const topic = await makeTopic(brokers, 2, { 'max.message.bytes': '1000' })
    const leader = await leaderOf(wire, topic)
    const batches = [
      batchOf(topic, 0, ['x'.repeat(2_000)]),
      batchOf(topic, 1, ['small']),
      batchOf(topic, 7, ['nowhere']),
      batchOf(freshTopic('none'), 0, ['nowhere']),
    ]
    const { results } = await leader.produce(batches)
    expect(results.map(({ errorCode }) => errorCode)).toEqual([10, 0, 3, 3])
    expect((await leader.produce(batches.slice(1, 2))).results[0]).toMatchObject({ errorCode: 0, baseOffset: 1n })
  })

  it('names the records that a topic refuses', async () => {
    await using wire = wireFor(brokers)
    const topic = await makeTopic(brokers, 1, { 'cleanup.policy': 'compact' })
    const leader = await leaderOf(wire, topic)
    const { results } = await leader.produce([batchOf(topic, 0, ['no key', 'nor here'])])
    expect(results).toEqual([{ topic, partition: 0, errorCode: 87, baseOffset: -1n, rejected: [0, 1] }])
  })

  it('finds leaders, and creates nothing by asking', async () => {
    await using wire = wireFor(brokers)
    const [topic, none] = [await makeTopic(brokers, 3), freshTopic('none')]
    for (let time = 0; time < 2; time += 1) {
      const [first, second, third] = await wire.leaders([none, topic, 'not a name'], never)
      expect(first).toEqual({ topic: none, errorCode: 3, leaders: [] })
      expect(second).toEqual({ topic, errorCode: 0, leaders: [1, 1, 1] })
      expect(third).toEqual({ topic: 'not a name', errorCode: 17, leaders: [] })
    }
  })

  it('gives every producer an identity of its own', async () => {
    await using wire = wireFor(brokers)
    const [one, two] = [await identityOf(wire), await identityOf(wire)]
    expect(one.producerId).toBeGreaterThanOrEqual(0n)
    expect(two.producerId).not.toBe(one.producerId)
    expect([one.producerEpoch, two.producerEpoch]).toEqual([0, 0])
  })

  it('does not mind a bootstrap address where nobody listens', async () => {
    await using wire = wireFor([`127.0.0.1:${await freePort()}`, ...brokers])
    const topic = await makeTopic(brokers, 1)
    const leader = await leaderOf(wire, topic)
    expect((await leader.produce([batchOf(topic, 0, ['x'])])).results[0]).toMatchObject({ errorCode: 0 })
  })

  it('nor one that never answers', async () => {
    await using silent = await fakeServer(() => {})
    const { host, port } = silent.address
    await using wire = wireFor([`${host}:${port}`, ...brokers], { questionTimeoutMs: 3_000 })
    expect(await wire.leaders([], never)).toEqual([])
  })

  it('knows whether it can be used', async () => {
    const wireOptions = { settings: settingsFor(brokers), limits: defaultWireLimits, clock: systemClock }
    expect(await probeWire(wireOptions, never)).toMatchObject({
      producing: true,
      idempotence: true,
      transactions: true,
    })
    const nobody = { ...wireOptions, settings: settingsFor([`127.0.0.1:${await freePort()}`]) }
    await expect(probeWire(nobody, never)).rejects.toMatchObject(unavailable)
  })

  it('has no broker of an unknown id', async () => {
    await using wire = wireFor(brokers)
    await expect(wire.connect(99, never)).rejects.toMatchObject(unavailable)
  })

  it('heeds signals', async () => {
    await using wire = wireFor(brokers)
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(wire.leaders([], aborted)).rejects.toThrow('enough')
    await expect(wire.initProducerId(aborted)).rejects.toThrow('enough')
    await expect(wire.connect(1, aborted)).rejects.toThrow('enough')
  })

  it('ends with everything that was opened', async () => {
    const wire = wireFor(brokers)
    const topic = await makeTopic(brokers, 1)
    const leader = await leaderOf(wire, topic)
    await wire[Symbol.asyncDispose]()
    await expect(leader.produce([batchOf(topic, 0, ['x'])])).rejects.toMatchObject(unavailable)
    await expect(wire.leaders([], never)).rejects.toMatchObject(unavailable)
    await expect(wire.connect(1, never)).rejects.toMatchObject(unavailable)
    expect(await readTopic(brokers, topic)).toEqual([])
  })
})

describe('the wire to a broker that fails', () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startBroker({ ...options(), properties: soonBack })
  })
  afterAll(async () => {
    await broker[Symbol.asyncDispose]()
  })

  /** Sends requests, several at a time, until one is rejected; how many were acknowledged, and that rejection. */
  async function produceUntilRejected(leader: BrokerConnection, topic: string, onAnswer: () => void) {
    let acknowledged = 0
    const one = async () => {
      for (;;) {
        const { results } = await leader.produce([batchOf(topic, 0, ['x'.repeat(1_000)])])
        expect(results[0]).toMatchObject({ errorCode: 0 })
        acknowledged += 1
        onAnswer()
      }
    }
    const endings = await Promise.allSettled(Array.from({ length: 5 }, one))
    return { acknowledged, reasons: endings.map(ending => (ending.status === 'rejected' ? ending.reason : undefined)) }
  }

  it('rejects every request when it is killed, and connects again when it is back', async () => {
    await using wire = wireFor(broker.brokers)
    const topic = await makeTopic(broker.brokers, 1)
    const leader = await leaderOf(wire, topic)
    let killed: Promise<void> | undefined
    const { acknowledged, reasons } = await produceUntilRejected(leader, topic, () => {
      killed ??= broker.kill()
    })
    await killed
    expect(reasons).toEqual(reasons.map(() => expect.objectContaining(unavailable)))
    await expect(leader.produce([])).rejects.toMatchObject(unavailable)
    await expect(wire.connect(leader.nodeId, never)).rejects.toMatchObject(unavailable)
    await expect(wire.leaders([topic], never)).rejects.toMatchObject(unavailable)
    await broker.start(never)
    await identityOf(wire) // Over a connection of its own, made anew.
    const again = await wire.connect(leader.nodeId, never)
    expect(again).not.toBe(leader)
    expect(acknowledged).toBeGreaterThan(0)
  })

  it('gives up a frozen one after the limit of a request', async () => {
    await using wire = wireFor(broker.brokers, { requestTimeoutMs: 3_000, questionTimeoutMs: 3_000 })
    const topic = await makeTopic(broker.brokers, 1)
    const leader = await leaderOf(wire, topic)
    let isFrozen = false
    try {
      const { reasons } = await produceUntilRejected(leader, topic, () => {
        if (!isFrozen) broker.freeze()
        isFrozen = true
      })
      expect(reasons).toEqual(reasons.map(() => expect.objectContaining(unavailable)))
      await expect(leader.produce([])).rejects.toMatchObject(unavailable)
      await expect(wire.leaders([topic], never)).rejects.toMatchObject(unavailable)
      const controller = new AbortController()
      const asked = wire.leaders([topic], controller.signal)
      controller.abort(new Error('enough'))
      await expect(asked).rejects.toThrow('enough')
    } finally {
      broker.thaw()
    }
    await identityOf(wire) // It answers again, and so do new connections to it.
    expect((await wire.connect(leader.nodeId, never)).nodeId).toBe(leader.nodeId)
  })
})

it('a broker before Kafka 3.0 is not asked what it does not know', async () => {
  const asked: number[] = []
  let port = 0
  await using server = await fakeServer(socket =>
    answering(socket, (_index, request) => {
      const apiKey = request.readInt16BE(0)
      asked.push(apiKey)
      return apiKey === 10 ? coordinatorAt(port) : apiKey === 18 ? speaksOnly(22, 0, 4) : undefined
    }),
  )
  port = server.address.port
  await using wire = wireFor([`127.0.0.1:${port}`])
  const coordinator = await wire.coordinate(await wire.findCoordinator('shop.orders.0', never), never)
  expect(await coordinator.describeTransaction('shop.orders.0')).toBeUndefined()
  coordinator.close()
  expect(asked).toEqual([10, 18])
})

/** FindCoordinator, version 2. */
function coordinatorAt(port: number): Buffer {
  const host = '127.0.0.1'
  const answer = Buffer.alloc(4 + 2 + 2 + 4 + 2 + host.length + 4)
  answer.writeInt16BE(-1, 6) // No error message.
  answer.writeInt32BE(1, 8)
  answer.writeInt16BE(host.length, 12)
  answer.write(host, 14)
  answer.writeInt32BE(port, answer.length - 4)
  return answer
}

/** ApiVersions, version 0, of a broker with one API. */
function speaksOnly(apiKey: number, lowest: number, highest: number): Buffer {
  const answer = Buffer.alloc(12)
  answer.writeInt32BE(1, 2)
  for (const [index, value] of [apiKey, lowest, highest].entries()) answer.writeInt16BE(value, 6 + 2 * index)
  return answer
}
