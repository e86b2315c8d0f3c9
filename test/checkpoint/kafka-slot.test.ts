import { expect, it } from 'vitest'
import { lookAtKafkaCheckpoints } from '../../src/checkpoint/kafka.ts'
import type { KafkaAccess, StoredRecord, StoreReader } from '../../src/checkpoint/kafka-connection.ts'
import { Position } from '../../src/position.ts'
import { accessTo, freshTopic, messagesOf, never, openStore, transactionalProducer } from './kafka-fixture.ts'
import { sample } from './sample.ts'

it('keeps the slots apart, each in a partition of its own', async () => {
  const topic = freshTopic()
  await using store = await openStore(topic, { slots: 3 })
  for (const slot of [0, 1, 2]) await store.save(sample({ slot, epoch: slot + 1 }), never)
  for (const slot of [0, 1, 2])
    expect(await store.load('orders', slot, never)).toEqual(sample({ slot, epoch: slot + 1 }))
  expect(await store.load('users', 1, never)).toBeUndefined()
})

it('loads what others have saved since it was opened', async () => {
  const topic = freshTopic()
  await using one = await openStore(topic)
  await using other = await openStore(topic)
  expect(await one.load('orders', 0, never)).toBeUndefined()
  await other.save(sample({ epoch: 4 }), never)
  expect(await one.load('orders', 0, never)).toEqual(sample({ epoch: 4 }))
})

it('shares reads between loads of one slot, and none of them reads what was there before it was called', async () => {
  const topic = freshTopic()
  const access = accessTo()
  let reads = 0
  const reader = {
    mark: access.reader.mark.bind(access.reader),
    readPartition: (...args: Parameters<typeof access.reader.readPartition>) => {
      if (args[3].isolation === 'read_committed') reads += 1
      return access.reader.readPartition(...args)
    },
    [Symbol.asyncDispose]: () => access.reader[Symbol.asyncDispose](),
  }
  await using store = await openStore(topic, { ...access, reader })
  await using other = await openStore(topic)
  await Promise.all(Array.from({ length: 20 }, () => store.load('orders', 0, never)))
  expect(reads).toBe(2) // The first, and one for all that came while it was under way.
  const early = store.load('orders', 0, never)
  await other.save(sample({ epoch: 7 }), never)
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 7 }))
  await early
})

/** Asks a broker that was replaced when there was one record, and does not know it: that is the end that it names. */
function askingOneReplaced(access: KafkaAccess): KafkaAccess {
  const { reader } = access
  const replaced: StoreReader = {
    mark: reader.mark.bind(reader),
    async *readPartition(...args: Parameters<StoreReader['readPartition']>) {
      const isKnown = ({ offset }: StoredRecord) => args[3].until !== undefined || offset < 1n
      for await (const records of reader.readPartition(...args)) yield records.filter(isKnown)
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  }
  return { ...access, reader: replaced }
}

it('is not misled by a broker that was replaced while it was frozen', async () => {
  const topic = freshTopic()
  await using successor = await openStore(topic)
  await successor.save(sample({ epoch: 1 }), never)
  await using store = await openStore(topic, askingOneReplaced(accessTo()))
  await successor.save(sample({ epoch: 2, savedAtMs: 2 }), never)
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 2, savedAtMs: 2 }))
  await expect(store.save(sample({ epoch: 1 }), never)).rejects.toMatchObject({ code: 'CHECKPOINT_FENCED' })
  const [first, later] = [5n, 6n].map(seconds => Position.ofTime(seconds << 32n).toJSON())
  await successor.fixStart?.('orders', first!, never)
  expect(await store.fixStart?.('orders', later!, never)).toEqual(first)
})

it('marks the end of a partition before it loads for a start, and writes nothing when it only looks', async () => {
  const topic = freshTopic()
  await using store = await openStore(topic)
  await store.save(sample(), never)
  const { reader, ...access } = accessTo()
  await using looking = await lookAtKafkaCheckpoints(
    { ...access, reader, deployment: 'shop', topic, replication: 1 },
    never,
  )
  const keys = async () => {
    const found: string[] = []
    for await (const records of reader.readPartition(topic, 0, 0n, { isolation: 'read_uncommitted' }, never)) {
      for (const { key } of records) found.push(String(key))
    }
    return found
  }
  expect(await looking.load('orders', 0, never)).toEqual(sample())
  expect(await keys()).not.toContain('mark')
  expect(await store.load('orders', 0, never)).toEqual(sample())
  expect(await keys()).toContain('mark')
})

it('refuses to save when a later epoch has begun, and what it saves late is passed over', async () => {
  const topic = freshTopic()
  await using old = await openStore(topic)
  await using successor = await openStore(topic)
  await old.save(sample({ epoch: 1 }), never)
  await successor.save(sample({ epoch: 2, savedAtMs: 2 }), never)
  const late = old.save(sample({ epoch: 1, savedAtMs: 3 }), never)
  await expect(late).rejects.toMatchObject({ name: 'Fenced', code: 'CHECKPOINT_FENCED' })
  await expect(late).rejects.toThrow('epoch 2 has begun, and this is 1')
  expect(await successor.load('orders', 0, never)).toEqual(sample({ epoch: 2, savedAtMs: 2 }))
  await old.save(sample({ pipeline: 'users', epoch: 1 }), never) // Nobody else has begun with this one.
  await successor.save(sample({ epoch: 2, savedAtMs: 4 }), never)
})

it('is fenced also by an epoch that begins between its look and its write', async () => {
  const topic = freshTopic()
  const access = accessTo()
  await using successor = await openStore(topic)
  let looks = 0
  const reader = {
    mark: access.reader.mark.bind(access.reader),
    async *readPartition(...args: Parameters<typeof access.reader.readPartition>) {
      yield* access.reader.readPartition(...args)
      looks += 1
      if (looks === 1) await successor.save(sample({ epoch: 9, savedAtMs: 9 }), never)
    },
    [Symbol.asyncDispose]: () => access.reader[Symbol.asyncDispose](),
  }
  await using old = await openStore(topic, { ...access, reader })
  await expect(old.save(sample({ epoch: 8 }), never)).rejects.toMatchObject({ code: 'CHECKPOINT_FENCED' })
  expect(looks).toBe(2)
  expect(await successor.load('orders', 0, never)).toEqual(sample({ epoch: 9, savedAtMs: 9 }))
})

it('is fenced by an epoch whose transaction is still open', async () => {
  const topic = freshTopic()
  await using old = await openStore(topic)
  await old.save(sample({ epoch: 1 }), never)
  const producer = transactionalProducer(`${topic}.open`)
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send(messagesOf(old.toRecords(sample({ epoch: 2 }))))
  await expect(old.save(sample({ epoch: 1 }), never)).rejects.toMatchObject({ code: 'CHECKPOINT_FENCED' })
  await transaction.abort()
  await producer.disconnect()
})

it('begins anew after a person has removed the record', async () => {
  const topic = freshTopic()
  await using store = await openStore(topic)
  await store.save(sample({ epoch: 5 }), never)
  const producer = transactionalProducer(`${topic}.remover`)
  await producer.connect()
  const removing = await producer.transaction()
  await removing.send({ topic, messages: [{ partition: 0, key: 'orders/0', value: null }] })
  await removing.commit()
  await producer.disconnect()
  expect(await store.load('orders', 0, never)).toBeUndefined()
  await store.save(sample({ epoch: 1 }), never)
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 1 }))
})

it('loads what a transaction has committed, not what one has aborted', async () => {
  const topic = freshTopic()
  await using store = await openStore(topic)
  const producer = transactionalProducer(`${topic}.commits`)
  await producer.connect()
  for (const [epoch, end] of [
    [1, 'commit'],
    [2, 'abort'],
    [3, 'commit'],
    [4, 'abort'],
  ] as const) {
    const transaction = await producer.transaction()
    await transaction.send(messagesOf(store.toRecords(sample({ epoch }))))
    await transaction[end]()
  }
  await producer.disconnect()
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 3 }))
})

it('waits for an open transaction: neither what is before it is the answer, nor what is in it', async () => {
  const topic = freshTopic()
  await using store = await openStore(topic)
  const [behind, ahead] = [transactionalProducer(`${topic}.behind`), transactionalProducer(`${topic}.ahead`)]
  await Promise.all([behind.connect(), ahead.connect()])
  const open = await ahead.transaction()
  await open.send(messagesOf(store.toRecords(sample({ pipeline: 'users', epoch: 1 }))))
  const done = await behind.transaction()
  await done.send(messagesOf(store.toRecords(sample({ epoch: 2 }))))
  await done.commit() // Committed, and yet hidden behind the open one.
  let loaded = false
  const load = store.load('orders', 0, never).finally(() => {
    loaded = true
  })
  await store.save(sample({ pipeline: 'another' }), never) // A while in which a load could have ended.
  expect(loaded).toBe(false)
  await open.abort()
  expect(await load).toEqual(sample({ epoch: 2 }))
  expect(await store.load('users', 0, never)).toBeUndefined()
  await Promise.all([behind.disconnect(), ahead.disconnect()])
})

it('asks for another try where a transaction stays open for too long', async () => {
  const topic = freshTopic()
  await using store = await openStore(topic, accessTo(undefined, { transactionWaitMs: 300 }))
  const producer = transactionalProducer(`${topic}.stuck`)
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send(messagesOf(store.toRecords(sample())))
  const load = store.load('orders', 0, never)
  await expect(load).rejects.toMatchObject({ name: 'Retryable', code: 'CHECKPOINT_UNAVAILABLE' })
  await expect(load).rejects.toThrow('held back by an open transaction')
  await transaction.abort()
  await producer.disconnect()
  expect(await store.load('orders', 0, never)).toBeUndefined()
})
