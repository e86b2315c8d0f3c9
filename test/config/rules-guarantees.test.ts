import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { formatProblem, InvalidConfig } from '../../src/config/problem.ts'

const base = `name: shop
mongodb: { uri: "mongodb://db/" }
sink: { brokers: [localhost:9092] }
pipelines: [{ name: orders, source: { collections: [shop.orders, '/^shop/'] } }]
`

function problems(settings: string, ...overrides: readonly string[]): string[] {
  try {
    loadConfig('f', { text: base + settings, env: {}, overrides, readFile: () => '' })
    return []
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    return error.problems.map(formatProblem)
  }
}
const mongodb = (rest = '') => `checkpoint: { store: mongodb, uri: "mongodb://db/"${rest} }`

test.each([
  'delivery: exactly-once',
  'delivery: at-least-once',
  mongodb(),
  `${mongodb()}\nworkers: { slots: 16, coordination: kafka, sessionTimeout: 6s }`,
  'checkpoint: { store: file, path: /tmp }',
  'workers: { slots: 1024, coordination: static, ordinal: 3, replicas: 4 }',
  'workers: { slots: 4, coordination: static, replicas: 4 }',
])('passes: %s', settings => {
  expect(problems(settings)).toEqual([])
})

test('exactly-once names the alternative where it is not to be had', () => {
  expect(problems(`delivery: exactly-once\n${mongodb()}`)).toEqual([
    'f:5:11 delivery: exactly-once commits the checkpoint in the transaction of its records: set checkpoint.store: kafka, or set delivery: at-least-once',
  ])
  expect(problems('delivery: exactly-once\ncheckpoint: { store: file, path: /tmp }')).toHaveLength(1)
  expect(problems('delivery: exactly-once', 'sink.client=kafkajs')).toEqual([
    'f:5:11 delivery: exactly-once is not to be had with sink.client kafkajs: set it to auto, or set delivery: at-least-once',
  ])
  expect(problems('delivery: exactly-once\ncheckpoint: { store: file, path: /tmp }', 'sink.type=stdout')).toEqual([
    'f:5:11 delivery: exactly-once needs sink.type: kafka; set delivery: at-least-once',
  ])
})

test('a file store is for one worker with one slot', () => {
  const store = 'checkpoint: { store: file, path: /tmp }\n'
  const why = 'with checkpoint.store: file, which belongs to one machine; set checkpoint.store: kafka or mongodb'
  expect(problems(`${store}workers: { slots: 2 }`)).toEqual([`f:6:19 workers.slots: must be 1 ${why}`])
  expect(problems(`${store}workers: { coordination: kafka }`)).toEqual([
    `f:6:26 workers.coordination: must be none ${why}`,
  ])
})

test('a store in MongoDB needs its address, percent-encoded', () => {
  expect(problems('checkpoint: { store: mongodb }')).toEqual([
    'f:5:1 checkpoint.uri: is missing: store mongodb needs a connection string, such as that of mongodb.uri',
  ])
  const [problem, ...others] = problems('checkpoint: { store: mongodb, uri: "mongodb://u:zq@zq@h" }')
  expect(problem).toContain('percent-encoded')
  expect(problem).not.toContain('zq')
  expect(others).toEqual([])
})

test('no pipeline reads the checkpoints of the same MongoDB', () => {
  const own = (where: string, collection: string) =>
    `${where}: reads shop.${collection}, where the checkpoints are, and each of them would make the next: leave it out, or set another checkpoint.database`
  expect(problems(mongodb(', database: shop'))).toEqual([
    own('f:4:66 pipelines[0].source.collections[1]', 'checkpoints'),
  ])
  expect(problems(mongodb(', database: shop, collection: orders'))).toEqual([
    own('f:4:53 pipelines[0].source.collections[0]', 'orders'),
    own('f:4:66 pipelines[0].source.collections[1]', 'orders'),
  ])
  expect(problems('checkpoint: { store: mongodb, uri: "mongodb://elsewhere/", database: shop }')).toEqual([])
})

test('workers by number', () => {
  const found = (settings: string) => problems(`workers: { ${settings} }`)
  expect(found('slots: 4, coordination: static')).toEqual([
    'f:5:1 workers.replicas: is missing: static needs the number of workers',
  ])
  expect(found('slots: 4, coordination: static, replicas: 5')).toEqual([
    'f:5:54 workers.replicas: must be at most workers.slots (4): the others would have nothing to do',
  ])
  expect(found('slots: 4, coordination: static, replicas: 2, ordinal: 2')).toEqual([
    'f:5:66 workers.ordinal: must be less than workers.replicas (2)',
  ])
  expect(found('slots: 4, replicas: 2')).toEqual([
    'f:5:32 workers.replicas: only for coordination static: remove it, or set that',
  ])
  expect(found('slots: 1025')).toEqual(['f:5:19 workers.slots: must be at most 1024'])
})

test('what is written nowhere has no group', () => {
  const store = 'checkpoint: { store: file, path: /tmp }\nworkers: { coordination: kafka }'
  expect(problems(store, 'sink.type=stdout')).toContainEqual(
    'f:6:26 workers.coordination: sink.type stdout has no Kafka to share out slots: set static with replicas, or none',
  )
})
