import { describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { Fenced, PoisonEvent, Retryable } from '../../../src/errors.ts'
import type { Wire } from '../../../src/sink/kafka/wire.ts'
import type { Sink, TransactionalSink } from '../../../src/sink/sink.ts'
import { committed, fencing, freshTopic, never, plain, spec, targetFor, transactional } from './fixture.ts'
import { StoppableClock } from './producer/stoppable-clock.ts'
import { makeTopic, wireFor } from './wire-fixture.ts'
import { looked, nothing, recordsOf, sinksOver } from './wire-sinks.ts'

const brokers = inject('kafkaBrokers')

describe('a transactional sink', () => {
  it('shows what was sent once it is committed, with what came with the commit', async () => {
    await using target = targetFor(brokers)
    await target.check(never)
    expect(target.capabilities).toEqual({ headers: true, idempotence: true, transactions: true })
    const [data, positions] = [freshTopic('data'), freshTopic('positions')]
    await using sink = await target.open(transactional(data), never)
    for (const topic of [data, positions]) await sink.partitions(topic, spec(2), never)
    for (let n = 0; n < 5; n += 1) {
      const sent = sink.send(recordsOf(data, [`a${n}`, `b${n}`], n % 2), never)
      await sink.commit(recordsOf(positions, [`${n}`]), never)
      await sent
    }
    await sink.commit(nothing, never)
    await using bystander = await target.open(plain('q'), never)
    await bystander.send(recordsOf(data, ['plain']), never)
    expect(await committed(brokers, positions, 2)).toEqual(['0', '1', '2', '3', '4'])
    const even = ['a0', 'b0', 'a2', 'b2', 'a4', 'b4', 'plain']
    expect(await committed(brokers, data, 2)).toEqual([...even, 'a1', 'b1', 'a3', 'b3'])
  })

  it('shows nothing of what is not committed when it is disposed, and its readers need not wait', async () => {
    await using target = targetFor(brokers)
    const topic = await makeTopic(brokers, 1)
    {
      await using sink = await target.open(transactional(topic), never)
      await sink.send(recordsOf(topic, ['seen']), never)
      await sink.commit(nothing, never)
      await sink.send(recordsOf(topic, ['unseen']), never)
    }
    await using other = await target.open(plain('q'), never)
    await other.send(recordsOf(topic, ['after']), never)
    expect(await committed(brokers, topic)).toEqual(['seen', 'after'])
  })

  it('keeps calls while a commit is under way for the next transaction', async () => {
    await using target = targetFor(brokers)
    const topic = await makeTopic(brokers, 3)
    await using sink = await target.open(transactional(topic), never)
    const calls: Promise<void>[] = []
    for (let n = 0; n < 60; n += 1) {
      calls.push(sink.send(recordsOf(topic, [`${n}`], n % 3), never))
      if (n % 4 === 3) calls.push(sink.commit(nothing, never))
    }
    await Promise.all(calls)
    const numbers = Array.from({ length: 60 }, (_, n) => n).sort((a, b) => (a % 3) - (b % 3) || a - b)
    expect(await committed(brokers, topic, 3)).toEqual(numbers.map(String))
  })

  it('ends by itself before the coordinator ends its transaction, and leaves nothing', async () => {
    await using target = targetFor(brokers, { transactionTimeoutMs: 1_000 })
    const topic = await makeTopic(brokers, 1)
    await using sink = await target.open(transactional(topic), never)
    let fault: unknown = await sink.send(recordsOf(topic, ['forgotten']), never).catch((error: unknown) => error)
    for (let n = 0; fault === undefined && n < 200; n += 1) {
      await systemClock.sleep(50)
      fault = await sink.send(recordsOf(topic, [`${n}`]), never).catch((error: unknown) => error)
    }
    expect(fault).toBeInstanceOf(Retryable)
    expect(await looked(sink.commit(nothing, never)).catch((error: unknown) => error)).toBe(fault)
    await sink[Symbol.asyncDispose]()
    expect(await committed(brokers, topic)).toEqual([])
  })

  it('of sixteen over one connection to their coordinator, each commits its own', async () => {
    const wire = wireFor(brokers)
    let connections = 0
    const coordinate = wire.coordinate.bind(wire)
    wire.coordinate = (...args) => {
      connections += 1
      return coordinate(...args)
    }
    await using sinks = sinksOver(wire)
    const [data, positions] = [await makeTopic(brokers, 4), await makeTopic(brokers, 16)]
    const opened = await Promise.all(Array.from({ length: 16 }, (_, slot) => sinks.open(`${data}.${slot}`)))
    expect(connections).toBe(1)
    const commits = 5
    const run = async (sink: TransactionalSink, slot: number) => {
      for (let n = 0; n < commits; n += 1) {
        const sent = sink.send(recordsOf(data, [`${slot}:${n}`], (slot + n) % 4), never)
        await Promise.all([sent, sink.commit(recordsOf(positions, [`${n}`], slot), never)])
      }
    }
    await Promise.all(opened.map(run))
    expect(connections).toBe(1)
    await Promise.all(opened.map(sink => sink[Symbol.asyncDispose]()))
    expect((await committed(brokers, data, 4)).sort()).toEqual(
      opened.flatMap((_, slot) => Array.from({ length: commits }, (_, n) => `${slot}:${n}`)).sort(),
    )
    expect(await committed(brokers, positions, 16)).toEqual(opened.flatMap(() => ['0', '1', '2', '3', '4']))
  })

  it('comes down to the record that is too large, in smaller and smaller batches, and leaves nothing', async () => {
    await using target = targetFor(brokers)
    const topic = await makeTopic(brokers, 1, { 'max.message.bytes': '20000' })
    const values = ['0', '1', 'x'.repeat(30_000), '3', '4']
    let fault: unknown
    let attempts = 0
    while (!(fault instanceof PoisonEvent) && attempts < 20) {
      attempts += 1
      await using sink = await target.open(transactional(topic), never)
      const calls = values.map(value => sink.send(recordsOf(topic, [value]), never))
      fault = await Promise.all([...calls, sink.commit(nothing, never)]).catch((error: unknown) => error)
      await Promise.allSettled(calls)
    }
    expect(fault).toMatchObject({ name: 'PoisonEvent', record: { topic, partition: 0, keyBytes: 1 } })
    expect(attempts).toBeGreaterThan(1)
    expect(await committed(brokers, topic)).toEqual([])
  })
})

describe('a process that was stopped until the coordinator had ended its transaction', () => {
  /** Stops with an open transaction; `endIt` must see to it that it is ended. */
  async function stopped(endIt: (topic: string, wire: Wire) => Promise<void>) {
    const wire = wireFor(brokers)
    const clock = new StoppableClock(systemClock)
    await using sinks = sinksOver(wire, 1_000, clock)
    const topic = await makeTopic(brokers, 1)
    const begin = async (): Promise<TransactionalSink> => {
      const sink = await sinks.open(topic)
      const begun = sink.send(recordsOf(topic, ['open']), never)
      if ((await begun.catch((error: unknown) => error)) === undefined) return sink
      await sink[Symbol.asyncDispose]() // On a busy machine a second can be over before the answer is there.
      return begin()
    }
    const sink = await begin()
    clock.stop()
    await endIt(topic, wire)
    clock.goOn()
    const fault = await looked(sink.commit(recordsOf(topic, ['late']), never)).catch((error: unknown) => error)
    await sink[Symbol.asyncDispose]()
    return { fault, topic }
  }

  async function untilAborted(id: string, wire: Wire): Promise<void> {
    const coordinator = await wire.coordinate(await wire.findCoordinator(id, never), never)
    for (;;) {
      const found = await coordinator.describeTransaction(id)
      if (found?.state === 'CompleteAbort') break
      await systemClock.sleep(100)
    }
    coordinator.close()
  }

  it('ends with Retryable, and its successor goes on', async () => {
    const { fault, topic } = await stopped(untilAborted)
    expect(fault).toMatchObject({ name: 'Retryable', code: 'SINK_UNAVAILABLE' })
    expect((fault as Error).message).toMatch(/Kafka has ended a transaction of .* the process was stopped or too busy/)
    await using sinks = sinksOver(wireFor(brokers))
    await using successor = await sinks.open(topic)
    await successor.send(recordsOf(topic, ['successor']), never)
    await successor.commit(nothing, never)
    expect(await committed(brokers, topic)).toEqual(['successor'])
  })

  it.each([
    ['before the timeout', async () => undefined],
    ['after it', untilAborted],
  ])('ends with Fenced where another has taken over %s, and does it no harm', async (_when, wait) => {
    await using others = sinksOver(wireFor(brokers))
    let successor: TransactionalSink | undefined
    const { fault, topic } = await stopped(async (id, wire) => {
      await wait(id, wire)
      successor = await others.open(id)
      await successor.send(recordsOf(id, ['successor']), never)
      await systemClock.sleep(1_000) // Until the transaction of the stopped one would have been too long.
    })
    expect(fault).toMatchObject({ name: 'Fenced', code: 'SINK_FENCED' })
    expect((fault as Error).message).toBe(`another instance has taken over ${topic}`)
    await successor?.commit(nothing, never)
    await successor?.[Symbol.asyncDispose]()
    expect(await committed(brokers, topic)).toEqual(['successor'])
  })
})

describe('a successor', () => {
  it('fences a transactional sink: its sends and commits end with Fenced, and nothing of them is seen', async () => {
    await using one = targetFor(brokers)
    await using other = targetFor(brokers)
    const topic = await makeTopic(brokers, 2)
    const zombie = await one.open(transactional(topic), never)
    await zombie.send(recordsOf(topic, ['committed']), never)
    await zombie.commit(nothing, never)
    await zombie.send(recordsOf(topic, ['open']), never)
    await using successor = await other.open(transactional(topic), never)
    const late = [looked(zombie.send(recordsOf(topic, ['late'], 1), never)), looked(zombie.commit(nothing, never))]
    for (const call of late) await expect(call).rejects.toBeInstanceOf(Fenced)
    await expect(late[0]).rejects.toMatchObject({ code: 'SINK_FENCED' })
    await successor.send(recordsOf(topic, ['successor']), never)
    await successor.commit(nothing, never)
    await zombie[Symbol.asyncDispose]()
    expect(await committed(brokers, topic, 2)).toEqual(['committed', 'successor'])
  })

  it('fences a sink without transactions where it has written', async () => {
    await using one = targetFor(brokers)
    await using other = targetFor(brokers)
    const topic = await makeTopic(brokers, 1)
    const zombie = await one.open(fencing(topic), never)
    await zombie.send(recordsOf(topic, ['before']), never)
    await using successor: Sink = await other.open(fencing(topic), never)
    await successor.send(recordsOf(topic, ['successor']), never)
    await expect(zombie.send(recordsOf(topic, ['late']), never)).rejects.toMatchObject({
      name: 'Fenced',
      code: 'SINK_FENCED',
    })
    await expect(zombie.send(recordsOf(topic, ['later']), never)).rejects.toBeInstanceOf(Fenced)
    await zombie[Symbol.asyncDispose]()
    expect(await committed(brokers, topic)).toEqual(['before', 'successor'])
  })

  it.each(['before EndTxn is sent', 'with EndTxn on its way'])(
    'settles a commit whose connection broke %s',
    async when => {
      const wire = wireFor(brokers)
      let isBroken = false
      const coordinate = wire.coordinate.bind(wire)
      wire.coordinate = async (...args) => {
        const connection = await coordinate(...args)
        return {
          get closed() {
            return connection.closed
          },
          initProducerId: (...args) => connection.initProducerId(...args),
          addPartitions: (...args) => connection.addPartitions(...args),
          endTransaction: (...args) => {
            if (isBroken) return connection.endTransaction(...args)
            isBroken = true
            if (when === 'before EndTxn is sent') connection.close()
            const answer = connection.endTransaction(...args)
            setImmediate(() => connection.close())
            return answer
          },
          describeTransaction: (...args) => connection.describeTransaction(...args),
          close: () => connection.close(),
        }
      }
      await using sinks = sinksOver(wire)
      const topic = await makeTopic(brokers, 2)
      const sink = await sinks.open(topic)
      await sink.send(recordsOf(topic, ['data'], 0), never)
      await expect(sink.commit(recordsOf(topic, ['position'], 1), never)).rejects.toBeInstanceOf(Retryable)
      await sink[Symbol.asyncDispose]()
      await using successor = await sinks.open(topic)
      const seen = await committed(brokers, topic, 2)
      expect([[], ['data', 'position']]).toContainEqual(seen)
      await successor.send(recordsOf(topic, ['next'], 0), never)
      await successor.commit(nothing, never)
      expect((await committed(brokers, topic, 2)).sort()).toEqual([...seen, 'next'].sort())
    },
  )
})

it('asks for nothing that it cannot have', async () => {
  await using target = targetFor(brokers, {}, 'kafkajs')
  await target.check(never)
  expect(target.capabilities.transactions).toBe(false)
  const opened = target.open(transactional('x'), never)
  await expect(opened).rejects.toMatchObject({ name: 'Configuration', code: 'DELIVERY_UNSUPPORTED' })
})
