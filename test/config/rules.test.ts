import { expect, test } from 'vitest'
import { checkRules } from '../../src/config/rules.ts'

const found = (uri: string) => checkRules({ mongodb: { uri } }).filter(({ pointer }) => pointer === '/mongodb/uri')

test.each([
  'mongodb://u:zq@zq/zq@h:1/db',
  'mongodb://u:zq@zq@h:1/db',
  'mongodb://u:zq/zq@h:1/db',
  'mongodb://u:zq?zq@h:1',
])('a password that is not percent-encoded is refused without being shown: %s', uri => {
  const [finding, ...others] = found(uri)
  expect(finding?.message).toContain('percent-encoded')
  expect(finding?.message).not.toContain('zq')
  expect(others).toEqual([])
})

test.each([
  'mongodb://h:1',
  'mongodb://u:p%40ss%2Fword@h:1,i:2/db?replicaSet=rs0',
  'mongodb+srv://u:p@h/?appName=a@b',
  'mongodb://h/db?appName=a@b',
])('what the driver reads as it is meant passes: %s', uri => {
  expect(found(uri)).toEqual([])
})

test('dead letters have a topic of their own', () => {
  const topics = (topic: string, deadLetterTopic: string) =>
    checkRules({ pipelines: [{ name: 'a', topic, onError: { deadLetterTopic } }] })
  expect(topics('{db}.{collection}', '{topic}.dlq')).toEqual([])
  expect(topics('orders', 'orders.dlq')).toEqual([])
  for (const same of [topics('orders', '{topic}'), topics('orders', 'orders')]) {
    expect(same.map(({ pointer }) => pointer)).toEqual(['/pipelines/0/onError/deadLetterTopic'])
  }
})
