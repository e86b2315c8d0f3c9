import { describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import type { Wire } from '../../../src/sink/kafka/wire.ts'
import type { TransactionalSink } from '../../../src/sink/sink.ts'
import { committed, never } from './fixture.ts'
import { StoppableClock } from './producer/stoppable-clock.ts'
import { answering, fakeServer, makeTopic, wireFor } from './wire-fixture.ts'
import { looked, nothing, recordsOf, sinksOver } from './wire-sinks.ts'

const brokers = inject('kafkaBrokers')

describe('a process that was stopped until the coordinator had ended its transaction', () => {
  /** Stops with an open transaction; `endIt` must see to it that it is ended. */
  async function stopped(endIt: (topic: string, wire: Wire) => Promise<void>) {
    const wire = wireFor(brokers)
    const clock = new StoppableClock(systemClock)
    await using sinks = sinksOver(wire, 1_000, clock)
    const topic = await makeTopic(brokers, 1)
    const sink = await sinks.open(topic)
    await sink.send(recordsOf(topic, ['open']), never)
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
