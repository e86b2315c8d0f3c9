import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { restartNeeded, sameConfig } from '../../src/config/difference.ts'

/** Settings as `--set` takes them, or as environment variables, which secrets must be: `M2K_ADMIN__TOKEN=t`. */
const load = (...settings: string[]) =>
  loadConfig('f', {
    text: `name: shop
mongodb: { uri: "mongodb://u:secret1@db/" }
sink: { brokers: ["a:9092"], sasl: { mechanism: plain, username: u, password: p } }
pipelines: [{ name: orders, source: { collections: [shop.orders] } }]
`,
    env: Object.fromEntries(settings.filter(isVariable).map(setting => setting.split(/=(.*)/).slice(0, 2))),
    overrides: settings.filter(setting => !isVariable(setting)),
    readFile: () => '',
  })
const isVariable = (setting: string) => setting.startsWith('M2K_')
const changed = (...settings: string[]) => restartNeeded(load(), load(...settings))

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
  [['M2K_MONGODB__URI=mongodb://u:secret2@db/'], ['mongodb.uri']],
  [
    ['M2K_SINK__SASL__PASSWORD=q', 'sink.brokers=["b:9092"]'],
    ['sink.brokers', 'sink.sasl.password'],
  ],
  [['sink.tls=true'], ['sink.tls']],
  [['delivery=at-least-once'], ['delivery']],
  [
    ['workers.slots=4', 'workers.sessionTimeout=20s'],
    ['workers.sessionTimeout', 'workers.slots'],
  ],
  [
    ['shutdown.drain=1s', 'log.level=debug', 'M2K_ADMIN__TOKEN=t'],
    ['admin.token', 'log.level', 'shutdown.drain'],
  ],
])('%j is named as the file names it, and no secret is', (settings, names) => {
  expect(changed(...settings)).toEqual(names)
  expect(sameConfig(load(), load(...settings))).toBe(false)
})
