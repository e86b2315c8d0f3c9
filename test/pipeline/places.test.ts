import { expect, test } from 'vitest'
import { PoisonEvent } from '../../src/errors.ts'
import { deadLetterSpec, deadLetterTopicOf, topicOf } from '../../src/pipeline/places.ts'
import { Position } from '../../src/position.ts'
import { isTopicName } from '../../src/sink/sink.ts'

const position = Position.ofTime(9n)

test('a collection whose name gives no topic that Kafka allows is poison', () => {
  const at = { db: 'shop', position }
  expect(topicOf('{db}.{collection}', { ...at, collection: 'orders' })).toBe('shop.orders')
  expect(() => topicOf('{db}.{collection}', { ...at, collection: 'ord ers' })).toThrow(PoisonEvent)
  expect(() => topicOf('..', { ...at, collection: 'orders' })).toThrow(PoisonEvent)
})

test('every event has a topic for its dead letter, whatever its collection is called', () => {
  const dlq = (collection: string, pattern = '{topic}.dlq') =>
    deadLetterTopicOf(pattern, '{db}.{collection}', { db: 'shop', collection })
  expect(dlq('orders')).toBe('shop.orders.dlq')
  expect(dlq('orders', 'dead-{db}')).toBe('dead-shop')
  expect(dlq('{topic}')).toBe('shop._topic_.dlq')
  expect(dlq('ord ers')).toBe('shop.ord_ers.dlq')
  expect(dlq('a'.repeat(250))).toBe(`${'a'.repeat(245)}.dlq`)
  for (const collection of ['.', '..', '', ' ', '\u{1f600}', 'x'.repeat(1_000)]) {
    for (const pattern of ['{topic}.dlq', '{collection}', '{topic}']) {
      expect(isTopicName(dlq(collection, pattern)), `${pattern} of ${collection}`).toBe(true)
    }
  }
})

test('a dead-letter topic is as durable as the others, and neither compacted nor narrow', () => {
  const config = { 'cleanup.policy': 'compact', 'max.message.bytes': '1000', 'min.insync.replicas': '2' }
  expect(deadLetterSpec({ partitions: 6, replication: 3, config })).toEqual({
    partitions: 6,
    replication: 3,
    config: { 'min.insync.replicas': '2' },
  })
})
