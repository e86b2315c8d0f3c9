import type { KafkaMessage } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Retryable } from '../../../../src/errors.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { startBrokers } from '../../../../src/services/broker.ts'
import type { BrokerCluster } from '../../../../src/services/services.ts'
import type { KafkaTarget } from '../../../../src/sink/kafka/target.ts'
import type { Sink } from '../../../../src/sink/sink.ts'
import { options } from '../../../services/servers.ts'
import { freshTopic, never, plain, record, targetFor } from '../fixture.ts'
import { readToEnd } from '../read-to-end.ts'
import { wireFor } from '../wire-fixture.ts'
import { carriers } from './carriers.ts'
import { alterTopic, deleteTopic, healthy } from './cluster-admin.ts'
import { faultRun } from './fault-run.ts'
import { partitions, spec } from './load.ts'
import { dataPartitions, TransactionalLoad } from './transactional-load.ts'
import { settle } from './until.ts'

let cluster: BrokerCluster
beforeAll(async () => {
  cluster = await startBrokers(options())
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

/** Records number `from` to `to` - 1, round the partitions, each of `bytes` bytes. */
function numbered(topic: string, from: number, to: number, bytes = 100) {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i)
  return packRecords(numbers.map(n => record(topic, n % partitions, String(n).padEnd(bytes, '.'))))
}

/** What stands in the topic, by partition. */
async function numbersOf(topic: string): Promise<number[][]> {
  const found: number[][] = Array.from({ length: partitions }, () => [])
  const see = (_topic: string, partition: number, { value }: KafkaMessage) =>
    void found[partition]?.push(Number.parseInt(String(value), 10))
  await readToEnd(cluster.brokers, [topic], see, { uncommitted: true })
  return found
}

/** The numbers 0 to `to` - 1 by partition. */
function upTo(to: number): number[][] {
  const count = (partition: number) => Math.max(0, Math.ceil((to - partition) / partitions))
  return Array.from({ length: partitions }, (_, partition) =>
    Array.from({ length: count(partition) }, (_, i) => partition + i * partitions),
  )
}

/** Runs `work` with a sink, and again with a new one for as long as that ends with a Retryable, as a pipeline would. */
async function replaying(target: KafkaTarget, work: (sink: Sink) => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await using sink = await target.open(plain('p'), never)
      await work(sink)
      return
    } catch (error) {
      if (!(error instanceof Retryable) || attempt === 20) throw error
    }
  }
}

describe.each(carriers)('a sink over %s', carrier => {
  it('sends on after a topic learned to refuse its batches: in smaller ones, in order', {
    timeout: 120_000,
  }, async () => {
    await using target = targetFor(cluster.brokers, {}, carrier)
    const topic = freshTopic('smaller')
    await replaying(target, async sink => {
      await sink.partitions(topic, spec, never)
      await sink.send(numbered(topic, 0, 12), never)
    })
    await replaying(target, async sink => {
      await sink.partitions(topic, spec, never)
      await alterTopic(cluster, topic, 'max.message.bytes', '20000')
      await settle([12, 600].map((from, i, all) => sink.send(numbered(topic, from, all[i + 1] ?? 1_200, 1_000), never)))
    })
    const numbers = await numbersOf(topic)
    const firsts = numbers.map(list => list.filter((n, at) => list.indexOf(n) === at))
    expect(firsts).toEqual(upTo(1_200))
    for (const list of numbers) {
      // A step back is a replay, from the first call on; nothing is passed over.
      const steps = list.slice(1).map((n, i) => ({ n, from: list[i]! }))
      expect(steps.filter(({ n, from }) => n > from + partitions)).toEqual([])
    }
  })

  it('stops at a record that is too large for its topic, and lets none of its partition pass', {
    timeout: 120_000,
  }, async () => {
    await using target = targetFor(cluster.brokers, {}, carrier)
    const topic = freshTopic('large')
    const large = record(topic, 5, '101'.padEnd(50_000, '.')) // 101 is number 5 of its turn.
    const sending = replaying(target, async sink => {
      await sink.partitions(topic, { ...spec, config: { 'max.message.bytes': '20000' } }, never)
      await settle([
        sink.send(numbered(topic, 0, 101), never),
        sink.send(packRecords([large]), never),
        sink.send(numbered(topic, 102, 300), never),
      ])
    })
    await expect(sending).rejects.toMatchObject({ name: 'PoisonEvent', code: 'SINK_RECORD_TOO_LARGE' })
    const numbers = await numbersOf(topic)
    expect([...new Set(numbers[5])]).toEqual(upTo(101)[5])
    for (const [partition, list] of numbers.entries()) {
      const firsts = list.filter((n, at) => list.indexOf(n) === at)
      expect(upTo(300)[partition]?.slice(0, firsts.length)).toEqual(firsts)
    }
  })

  it('reports a topic that is not there, and one that is deleted under it, once the time for delivery is over', {
    timeout: 120_000,
  }, async () => {
    await using target = targetFor(cluster.brokers, { deliveryTimeoutMs: 2_500 }, carrier)
    const unavailable = { name: 'Retryable', code: 'SINK_UNAVAILABLE' }
    const [unknown, deleted, other] = [freshTopic('unknown'), freshTopic('deleted'), freshTopic('other')]
    await using bystander = await target.open(plain('bystander'), never)
    await bystander.partitions(other, spec, never)
    {
      await using sink = await target.open(plain('p'), never)
      await expect(sink.send(numbered(unknown, 0, 12), never)).rejects.toMatchObject(unavailable)
    }
    await using sink = await target.open(plain('p'), never)
    await sink.partitions(deleted, spec, never)
    await sink.send(numbered(deleted, 0, 12), never)
    await deleteTopic(cluster, deleted)
    const ended = async () => {
      for (let from = 12; ; from += 12) await sink.send(numbered(deleted, from, from + 12), never)
    }
    await expect(ended()).rejects.toMatchObject(unavailable)
    // Another pipeline does not notice.
    await bystander.send(numbered(other, 0, 120), never)
    expect(await numbersOf(other)).toEqual(upTo(120))
    // The pipeline begins again, with a topic that it makes itself.
    await using next = await target.open(plain('p'), never)
    await next.partitions(deleted, spec, never)
    await next.send(numbered(deleted, 0, 24), never)
    expect(await numbersOf(deleted)).toEqual(upTo(24))
  })

  it('stopped in the middle: what arrived has no gap, and nothing arrives later', { timeout: 120_000 }, async () => {
    await using target = targetFor(cluster.brokers, { batchBytes: 8 << 10 }, carrier)
    const topic = freshTopic('stopped')
    const sink = await target.open(plain('p'), never)
    await sink.partitions(topic, spec, never)
    await sink.send(numbered(topic, 0, 120), never)
    const stop = new AbortController()
    const calls = Array.from({ length: 100 }, (_, i) =>
      sink.send(numbered(topic, 120 * (i + 1), 120 * (i + 2)), stop.signal),
    )
    await calls[3]
    stop.abort(new Error('stopped'))
    const outcomes = await Promise.allSettled(calls)
    await sink[Symbol.asyncDispose]()
    const arrived = await numbersOf(topic)
    const acknowledged = 1 + outcomes.filter(({ status }) => status === 'fulfilled').length
    for (const [partition, numbers] of arrived.entries()) {
      expect(numbers).toEqual(upTo(120 * 101)[partition]?.slice(0, numbers.length))
      expect(numbers.length).toBeGreaterThanOrEqual(acknowledged * 10)
    }
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toBe(stop.signal.reason)
    // A new sink's records stand behind all that the old one has sent.
    await using next = await target.open(plain('p'), never)
    await next.partitions(topic, spec, never)
    const marker = partitions * 10_000
    await next.send(numbered(topic, marker, marker + partitions), never)
    const after = await numbersOf(topic)
    expect(after.map(numbers => numbers.slice(0, -1))).toEqual(arrived)
  })
})

// `npm run test:faults:producer` does the same for longer.
describe('every sink, in a cluster whose nodes fail one after the other', () => {
  it('loses nothing, repeats nothing, keeps the order of each key and lives on', { timeout: 300_000 }, async () => {
    const reports = await faultRun(cluster, carriers, ['kill', 'hiccup', 'move', 'freeze'])
    expect(reports).toEqual(
      carriers.map(carrier => ({
        carrier,
        faults: 4,
        records: expect.any(Number),
        lost: 0,
        duplicated: 0,
        outOfOrder: 0,
        foreign: 0,
        retries: expect.any(Number),
        ends: [],
      })),
    )
    for (const { retries } of reports) expect(retries).toBeGreaterThan(0)
  })
})

describe('transactional sinks, in a cluster whose coordinators fail', () => {
  it('commit every record once, with its position, and go on within the next sink', { timeout: 900_000 }, async () => {
    await using target = targetFor(cluster.brokers)
    await using wire = wireFor(cluster.brokers)
    const [data, positions] = [freshTopic('data'), freshTopic('positions')]
    await using creator = await target.open(plain('p'), never)
    await creator.partitions(data, { ...spec, partitions: dataPartitions }, never)
    await creator.partitions(positions, { ...spec, partitions: 4 }, never)
    const ids = [0, 1, 2, 3].map(slot => `${data}.${slot}`)
    const { brokers } = cluster
    const loads = ids.map((id, slot) => new TransactionalLoad({ target, brokers, id, data, positions, slot }))
    const stop = new AbortController()
    const running = loads.map(load => load.run(stop.signal))
    const progress = () => Promise.race([Promise.all(loads.map(load => load.progress())), settle(running)])
    await progress()
    for (const fault of ['kill', 'freeze', 'restart'] as const) {
      const nodeId = await wire.findCoordinator(ids[0]!, never)
      const node = cluster.nodes.find(({ id }) => id === nodeId)!
      if (fault === 'freeze') node.freeze()
      else await node.kill()
      if (fault !== 'restart') await progress()
      if (fault === 'freeze') node.thaw()
      else await node.start(AbortSignal.timeout(120_000))
      await progress()
      await healthy(cluster, [data, positions])
    }
    stop.abort()
    await settle(running)
    expect((await Promise.all(loads.map(load => load.judge()))).flat()).toEqual([])
    expect(loads.flatMap(({ ends }) => ends).length).toBeGreaterThan(0)
  })
})
