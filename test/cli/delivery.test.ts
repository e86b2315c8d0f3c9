import { expect, test } from 'vitest'
import { chooseDelivery, planText } from '../../src/cli/delivery.ts'
import type { Config } from '../../src/config/schema.ts'

const choose = (delivery: Config['delivery'], store: 'kafka' | 'mongodb' | 'file', transactions: boolean) =>
  chooseDelivery(
    { delivery, checkpoint: { store } as Config['checkpoint'] },
    { headers: true, idempotence: transactions, transactions },
  )

test('without a word: exactly-once where target and store can, else at-least-once; always with the reason', () => {
  expect(choose(undefined, 'kafka', true)).toEqual({
    delivery: 'exactly-once',
    because: 'Kafka has transactions and keeps the checkpoints too',
  })
  expect(choose(undefined, 'kafka', false)).toEqual({
    delivery: 'at-least-once',
    because: 'the target has no transactions',
  })
  expect(choose(undefined, 'mongodb', true)).toEqual({
    delivery: 'at-least-once',
    because: 'checkpoints are kept in mongodb and not in Kafka',
  })
  expect(choose(undefined, 'file', false).because).toBe(
    'the target has no transactions, and checkpoints are kept in file and not in Kafka',
  )
})

test('as the configuration says, or an error where that is not to be had', () => {
  const because = 'the configuration says so'
  expect(choose('at-least-once', 'kafka', true)).toEqual({ delivery: 'at-least-once', because })
  expect(choose('exactly-once', 'kafka', true)).toEqual({ delivery: 'exactly-once', because })
  expect(() => choose('exactly-once', 'kafka', false)).toThrow(
    expect.objectContaining({ code: 'DELIVERY_UNSUPPORTED', message: expect.stringContaining('no transactions') }),
  )
})

test('the plan is one line, which names the target, the delivery and every reason once', () => {
  const choice = { delivery: 'at-least-once', because: 'the target has no transactions' } as const
  expect(planText({ title: 'OCI Streaming by kafkajs', because: ['bytes are paced'] }, choice)).toBe(
    'target: OCI Streaming by kafkajs, delivery: at-least-once, because the target has no transactions; bytes are paced',
  )
  const all = { delivery: 'exactly-once', because: 'Kafka has transactions' } as const
  expect(planText({ title: 'Apache Kafka by platformatic', because: [] }, all)).toBe(
    'target: Apache Kafka by platformatic, delivery: exactly-once, because Kafka has transactions',
  )
  expect(planText({ title: 'Redpanda by platformatic', because: [], topics: 'topics can be compacted' }, all)).toBe(
    'target: Redpanda by platformatic, delivery: exactly-once, because Kafka has transactions; topics can be compacted',
  )
})
