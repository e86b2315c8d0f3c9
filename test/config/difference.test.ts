import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { restartNeeded, sameConfig } from '../../src/config/difference.ts'

const load = (...overrides: string[]) =>
  loadConfig('f', {
    text: `name: shop
mongodb: { uri: "mongodb://u:secret1@db/" }
sink: { brokers: ["a:9092"], sasl: { mechanism: plain, username: u, password: p } }
pipelines: [{ name: orders, source: { collections: [shop.orders] } }]
`,
    env: {},
    overrides,
    readFile: () => '',
  })
const changed = (...overrides: string[]) => restartNeeded(load(), load(...overrides))

test('what has not changed needs no restart', () => {
  expect(changed()).toEqual([])
  expect(sameConfig(load(), load())).toBe(true)
})

test('pipelines change while it runs', () => {
  expect(changed('pipelines.orders.partitions=3', 'defaults.tombstones=true')).toEqual([])
  expect(sameConfig(load(), load('pipelines.orders.partitions=3'))).toBe(false)
  expect(changed('revision=7')).toEqual([])
  expect(sameConfig(load(), load('revision=7'))).toBe(false)
})

test.each([
  [['name=other'], ['checkpoint.topic', 'name', 'sink.clientId']],
  [['mongodb.uri=mongodb://u:secret2@db/'], ['mongodb.uri']],
  [
    ['sink.sasl.password=q', 'sink.brokers=["b:9092"]'],
    ['sink.brokers', 'sink.sasl.password'],
  ],
  [['sink.tls=true'], ['sink.tls']],
  [['delivery=at-least-once'], ['delivery']],
  [
    ['workers.slots=4', 'workers.sessionTimeout=20s'],
    ['workers.sessionTimeout', 'workers.slots'],
  ],
  [
    ['shutdown.drain=1s', 'log.level=debug', 'admin.token=t'],
    ['admin.token', 'log.level', 'shutdown.drain'],
  ],
])('%j is named as the file names it, and no secret is', (overrides, names) => {
  expect(changed(...overrides)).toEqual(names)
  expect(sameConfig(load(), load(...overrides))).toBe(false)
})
