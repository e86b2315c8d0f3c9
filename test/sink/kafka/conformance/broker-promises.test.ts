import { describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { protocolCode } from '../../../../src/sink/kafka/classify.ts'
import { Coordinators } from '../../../../src/sink/kafka/producer/coordinators.ts'
import { meaningOf } from '../../../../src/sink/kafka/producer/produce-errors.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { RecordBatch } from '../../../../src/sink/kafka/record-batch/record-batch.ts'
import type { CoordinatorConnection, TransactionalIdentity, Wire } from '../../../../src/sink/kafka/wire.ts'
import { committed, freshTopic, never, record } from '../fixture.ts'
import { makeTopic, wireFor } from '../wire-fixture.ts'

const ok = 0
const fenced = 47 // INVALID_PRODUCER_EPOCH
const wrongState = 48 // INVALID_TXN_STATE
const brokers = inject('kafkaBrokers')
/** Nothing here depends on the machine being fast. */
const patience = { timeout: 300_000 }
const longLimitMs = 120_000
const limits = { connectTimeoutMs: longLimitMs, requestTimeoutMs: longLimitMs, questionTimeoutMs: longLimitMs }

/** A producer that asks for anything at any time, as requests that were delayed in the network would. */
class Puppet implements AsyncDisposable {
  readonly #wire: Wire = wireFor(brokers, limits)
  readonly #coordinators = new Coordinators({ wire: this.#wire, clock: systemClock })
  readonly topic: string
  #identity: TransactionalIdentity

  private constructor(topic: string, transactionalId: string) {
    this.topic = topic
    this.#identity = { transactionalId, producerId: -1n, producerEpoch: -1 }
  }

  static async open(topic: string, transactionalId: string): Promise<Puppet> {
    const puppet = new Puppet(topic, transactionalId)
    const init = (to: CoordinatorConnection) => to.initProducerId(transactionalId, 600_000)
    const identity = await puppet.#coordinators.ask(transactionalId, init, 'after-no-answer', never)
    puppet.#identity = { transactionalId, ...identity }
    return puppet
  }

  /** Kafka's code, once it is no more that of a wait. */
  add(): Promise<number> {
    return this.#ask(to => to.addPartitions(this.#identity, [{ topic: this.topic, partition: 0 }]))
  }

  end(outcome: 'commit' | 'abort'): Promise<number> {
    return this.#ask(to => to.endTransaction(this.#identity, outcome))
  }

  /** One record, which is number `sequence` of this producer in the partition. */
  async send(sequence: number, value: string): Promise<number> {
    const { producerId, producerEpoch, transactionalId } = this.#identity
    const batch = new RecordBatch(this.topic, 0, new BufferPool())
    batch.append(packRecords([record(this.topic, 0, value)]), 0)
    const bytes = await batch.seal(producerId, producerEpoch, sequence, 'none', true)
    const [found] = await this.#wire.leaders([this.topic], never)
    const connection = await this.#wire.connect(found!.leaders[0]!, never)
    try {
      for (;;) {
        const { results } = await connection.produce([{ topic: this.topic, partition: 0, bytes }], transactionalId)
        const { errorCode } = results[0]!
        if (!meaningOf(errorCode).startsWith('retry')) return errorCode
        await systemClock.sleep(20)
      }
    } finally {
      connection.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#coordinators[Symbol.dispose]()
    await this.#wire[Symbol.asyncDispose]()
  }

  async #ask(question: (to: CoordinatorConnection) => Promise<void>): Promise<number> {
    try {
      await this.#coordinators.ask(this.#identity.transactionalId, question, 'never', never)
      return ok
    } catch (error) {
      return protocolCode(error) ?? Promise.reject(error)
    }
  }
}

/** What the transactions of our producer lean on; each is a line of Kafka's that could be another one some day. */
describe('a broker', patience, () => {
  it('takes no batch of a partition that was not added to the transaction', async () => {
    await using puppet = await Puppet.open(await makeTopic(brokers, 1), freshTopic('id'))
    expect(await puppet.send(0, 'a')).toBe(wrongState)
    expect(await puppet.add()).toBe(ok)
    expect(await puppet.send(0, 'a')).toBe(ok)
    expect(await puppet.end('commit')).toBe(ok)
    expect(await committed(brokers, puppet.topic)).toEqual(['a'])
  })

  it('takes no batch that arrives when its transaction has ended', async () => {
    await using puppet = await Puppet.open(await makeTopic(brokers, 1), freshTopic('id'))
    expect(await puppet.add()).toBe(ok)
    expect(await puppet.send(0, 'a')).toBe(ok)
    expect(await puppet.end('commit')).toBe(ok)
    expect(await puppet.end('commit')).toBe(ok) // Waits until the markers are written.
    expect(await puppet.send(1, 'late')).toBe(wrongState)
    expect(await puppet.add()).toBe(ok)
    expect(await puppet.send(1, 'b')).toBe(ok)
    expect(await puppet.end('commit')).toBe(ok)
    expect(await committed(brokers, puppet.topic)).toEqual(['a', 'b'])
  })

  it('has a batch once, also where a copy of it arrives in the next transaction', async () => {
    await using puppet = await Puppet.open(await makeTopic(brokers, 1), freshTopic('id'))
    for (const _ of ['its own', 'the next']) {
      expect(await puppet.add()).toBe(ok)
      expect(await puppet.send(0, 'a')).toBe(ok)
      expect(await puppet.send(0, 'a')).toBe(ok)
      expect(await puppet.end('commit')).toBe(ok)
    }
    expect(await committed(brokers, puppet.topic)).toEqual(['a'])
  })

  it('keeps to what is decided, and says so again', async () => {
    await using puppet = await Puppet.open(await makeTopic(brokers, 1), freshTopic('id'))
    for (const [outcome, other] of [
      ['commit', 'abort'],
      ['abort', 'commit'],
    ] as const) {
      expect(await puppet.add()).toBe(ok)
      expect(await puppet.add()).toBe(ok)
      expect(await puppet.end(outcome)).toBe(ok)
      expect(await puppet.end(other)).toBe(wrongState)
      expect(await puppet.end(outcome)).toBe(ok)
      expect(await puppet.end(other)).toBe(wrongState)
    }
  })

  it('aborts what a predecessor left open before it names a successor, and hears no predecessor after that', async () => {
    const [topic, id] = [await makeTopic(brokers, 1), freshTopic('id')]
    await using one = await Puppet.open(topic, id)
    expect(await one.add()).toBe(ok)
    expect(await one.send(0, 'lost')).toBe(ok)
    await using two = await Puppet.open(topic, id)
    expect([await one.end('commit'), await one.add(), await one.send(1, 'late')]).toEqual([fenced, fenced, fenced])
    expect(await two.add()).toBe(ok)
    expect([await one.end('commit'), await one.send(1, 'late')]).toEqual([fenced, fenced])
    expect(await two.send(0, 'a')).toBe(ok)
    expect(await two.end('commit')).toBe(ok)
    expect(await committed(brokers, topic)).toEqual(['a'])
  })

  it('commits what a predecessor has decided before it names a successor', async () => {
    const [topic, id] = [await makeTopic(brokers, 1), freshTopic('id')]
    await using one = await Puppet.open(topic, id)
    expect(await one.add()).toBe(ok)
    expect(await one.send(0, 'a')).toBe(ok)
    expect(await one.end('commit')).toBe(ok)
    await using two = await Puppet.open(topic, id)
    expect(await committed(brokers, topic)).toEqual(['a'])
    expect([await one.end('commit'), await one.end('abort'), await one.add()]).toEqual([fenced, fenced, fenced])
    expect(await one.send(1, 'late')).toBe(fenced)
    expect(await two.add()).toBe(ok)
    expect(await two.send(0, 'b')).toBe(ok)
    expect(await two.end('commit')).toBe(ok)
    expect(await committed(brokers, topic)).toEqual(['a', 'b'])
  })
})
