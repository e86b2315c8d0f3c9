import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type ConfigInput, loadConfig } from '../../src/config/config.ts'
import { formatProblem, InvalidConfig } from '../../src/config/problem.ts'
import { Secret } from '../../src/secret.ts'

const base = `name: shop
mongodb:
  uri: mongodb://user:hunter2@localhost/
sink:
  brokers: [localhost:9092]
`
const pipelines = `pipelines:
  - name: orders
    source:
      collections: [shop.orders]
`

function load(text: string, input: Partial<ConfigInput> = {}) {
  const readFile = () => {
    throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
  }
  return loadConfig('test.yaml', { text, env: {}, overrides: [], readFile, ...input })
}

/** The problems of `text`, one line each. */
function problems(text: string, input: Partial<ConfigInput> = {}): string[] {
  try {
    load(text, input)
  } catch (error) {
    if (error instanceof InvalidConfig) return error.problems.map(formatProblem)
    throw error
  }
  return []
}

test('a short file gives every setting its default', () => {
  const config = load(base + pipelines)
  expect(JSON.parse(JSON.stringify(config))).toEqual({
    name: 'shop',
    revision: 0,
    mongodb: { uri: '[redacted]' },
    sink: {
      type: 'kafka',
      brokers: ['localhost:9092'],
      preset: 'kafka',
      clientId: 'mongo2kafka.shop',
      client: 'auto',
      producer: { compression: 'none', lingerMs: 5, batchBytes: 524288, requestTimeoutMs: 30_000 },
    },
    checkpoint: {
      store: 'kafka',
      topic: 'mongo2kafka.shop.checkpoints',
      database: 'mongo2kafka',
      collection: 'checkpoints',
      intervalMs: 100,
    },
    workers: { slots: 1, coordination: 'none', sessionTimeoutMs: 10_000 },
    startup: { waitMs: 60_000 },
    shutdown: { drainMs: 20_000 },
    limits: { inFlightBytes: 16_777_216 },
    retry: { initialMs: 500, maxMs: 30_000 },
    admin: { host: '127.0.0.1', port: 8080 },
    log: { level: 'info', format: 'json' },
    pipelines: [
      {
        name: 'orders',
        source: {
          collections: ['shop.orders'],
          snapshot: 'never',
          startAtMs: 'now',
          fullDocument: 'auto',
          fullDocumentBeforeChange: 'auto',
          onHistoryLost: 'fail',
        },
        topic: '{db}.{collection}',
        topicConfig: { config: {} },
        tombstones: false,
        key: { fields: ['_id'], format: 'extended-json' },
        value: { format: 'json', shape: 'change-event' },
        onError: { oversize: 'dead-letter', poison: 'dead-letter', deadLetterTopic: '{topic}.dlq' },
      },
    ],
  })
})

test('onError: fail is short for both of its reasons, in defaults too; all else is spelled out', () => {
  const fail = { oversize: 'fail', poison: 'fail', deadLetterTopic: '{topic}.dlq' }
  const source = 'source: { collections: [shop.orders] }'
  expect(load(`${base}pipelines: [{ name: a, ${source}, onError: fail }]\n`).pipelines[0]?.onError).toEqual(fail)
  const both = `${base}defaults: { onError: fail }\npipelines: [{ name: a, ${source}, onError: { poison: skip } }]\n`
  expect(load(both).pipelines[0]?.onError).toEqual({ ...fail, poison: 'skip' })
  expect(problems(`${base}pipelines: [{ name: a, ${source}, onError: skip }]\n`)).toHaveLength(1)
})

test('the result is frozen throughout, its secrets reveal themselves only when asked', () => {
  const config = load(base + pipelines)
  expect(() => Object.assign(config.pipelines[0]!.source, { snapshot: 'initial' })).toThrow(TypeError)
  expect(() => Object.assign(config.sink.brokers, { 0: 'elsewhere:1' })).toThrow(TypeError)
  expect(config.mongodb.uri).toBeInstanceOf(Secret)
  expect(config.mongodb.uri.reveal()).toBe('mongodb://user:hunter2@localhost/')
})

test('every example file loads', () => {
  const env = { MONGODB_URI: 'mongodb://127.0.0.1:1/', KAFKA_BROKERS: '127.0.0.1:2,127.0.0.1:3' }
  const [demo, minimal, full] = ['demo', 'minimal', 'full'].map(name => {
    return load(readFileSync(`config/${name}.yaml`, 'utf8'), { env })
  })
  expect(demo?.sink.brokers).toEqual(['127.0.0.1:2', '127.0.0.1:3'])
  expect(demo?.admin.port).toBe(0)
  expect(demo?.pipelines.map(({ name, tombstones }) => [name, tombstones])).toEqual([
    ['orders', false],
    ['customers', true],
    ['audit', false],
  ])
  expect(minimal?.pipelines[0]?.source.collections).toEqual(['shop.*'])
  expect(full?.pipelines[1]).toMatchObject({
    partitions: 12,
    topicConfig: { replication: 3, config: { 'min.insync.replicas': '2', 'cleanup.policy': 'compact' } },
  })
})

test('all problems are reported at once, in the order of the file, with place and remedy', () => {
  const text = `name: my shop
mongodb: {}
snik:
  brokers: [localhost]
sink:
  tpye: kafka
  brokers: [localhost]
delivery: exactly-twice
startup: { wait: 60 }
limits: { inFlightBytes: 1KiB }
pipelines:
  - name: orders
    source:
      collections: [orders, '/(/']
      startAt: 2026-13-01
    topic: '{database}.x'
    partitions: 0
    value: { format: avro }
  - name: orders
`
  expect(problems(text)).toEqual([
    'test.yaml:1:7 name: must be letters, digits, dots, underscores and hyphens',
    "test.yaml:2:1 mongodb.uri: is missing: MongoDB's connection string.",
    'test.yaml:3:1 snik: unknown key; supported here: name, revision, mongodb, sink, delivery, checkpoint, workers, startup, shutdown, limits, retry, admin, log, defaults, pipelines (did you mean sink?)',
    'test.yaml:6:3 sink.tpye: unknown key; supported here: type, preset, brokers, clientId, client, tls, sasl, oci, producer, probeTopic (did you mean type?)',
    'test.yaml:7:13 sink.brokers[0]: must be host:port, such as localhost:9092',
    'test.yaml:8:11 delivery: not supported; supported in this release: at-least-once, exactly-once (did you mean exactly-once?)',
    'test.yaml:9:18 startup.wait: must be a duration with its unit, such as 250ms, 10s, 5m or 1h',
    'test.yaml:10:26 limits.inFlightBytes: must be from 64KiB to 4GiB',
    'test.yaml:14:21 pipelines[0].source.collections[0]: must be db.collection, db.* or /regex/',
    expect.stringMatching(/^test.yaml:14:29 pipelines\[0].source.collections\[1]: not a regular expression: /),
    'test.yaml:15:16 pipelines[0].source.startAt: must be a time that exists',
    'test.yaml:16:12 pipelines[0].topic: must be a topic name of letters, digits, dots, underscores and hyphens, with {db} and {collection} as the only placeholders',
    'test.yaml:17:17 pipelines[0].partitions: must be at least 1',
    'test.yaml:18:22 pipelines[0].value.format: not supported; supported in this release: json, extended-json, canonical-json',
    'test.yaml:19:5 pipelines[1].source: is missing: What the pipeline reads.',
    'test.yaml:19:11 pipelines[1].name: pipelines[0] has this name already: give each pipeline its own',
  ])
})

test.each([
  [
    'an empty file',
    '',
    'test.yaml:1:1 name: is missing: Names this deployment: its checkpoints, transactional ids, worker group and clients.',
  ],
  ['no YAML', 'name: [', expect.stringMatching(/^test.yaml:1:\d+: Flow sequence/)],
  [
    'a list',
    '- a',
    'test.yaml:1:1 name: is missing: Names this deployment: its checkpoints, transactional ids, worker group and clients.',
  ],
  ['a key twice', `name: shop\n${base}`, 'test.yaml:2:1 name: the key stands here twice (first in line 1): remove one'],
  ['no pipeline', `${base}pipelines: []`, 'test.yaml:6:12 pipelines: must have at least one entry'],
  [
    'a number as text',
    `${base}${pipelines}    topic: 12`,
    expect.stringContaining('test.yaml:10:12 pipelines[0].topic'),
  ],
  [
    'an inherited name',
    `${base}${pipelines}    constructor: 12`,
    expect.stringMatching(/^test.yaml:10:5 pipelines\[0].constructor: unknown key/),
  ],
  [
    'tombstones that shape document cannot leave out',
    `${base}${pipelines}    tombstones: false\n    value: { shape: document }`,
    expect.stringMatching(/^test.yaml:10:17 pipelines\[0].tombstones: in shape document a delete/),
  ],
  [
    'checkpoints in Kafka without Kafka',
    `${base}  type: stdout\n${pipelines}`,
    'test.yaml:1:1 checkpoint.store: sink.type stdout has no Kafka to keep checkpoints in: set store: file and path',
  ],
  [
    'a file store without file',
    `${base}checkpoint: { store: file }\n${pipelines}`,
    'test.yaml:6:1 checkpoint.path: is missing: store file needs the path of a directory',
  ],
  [
    'half a client certificate',
    `${base}  tls: { cert: a.pem }\n${pipelines}`,
    'test.yaml:6:16 sink.tls.cert: cert and key go together: give both or none',
  ],
  [
    'a first wait longer than the longest',
    `${base}retry: { initial: 1m }\n${pipelines}`,
    'test.yaml:6:19 retry.initial: must not be longer than retry.max (30s)',
  ],
  [
    'an undefined variable',
    `${base}log: { level: "\${NOWHERE}" }\n${pipelines}`,
    `test.yaml:6:15 log.level: environment variable NOWHERE is not set: set it, or give a default: $\{NOWHERE:-…}`,
  ],
  [
    'an absent file',
    `${base}admin: { token: "\${file:/nowhere}" }\n${pipelines}`,
    'test.yaml:6:17 admin.token: cannot read file /nowhere: ENOENT',
  ],
])('%s', (_, text, expected) => {
  expect(problems(text)).toContainEqual(expected)
})

test('a password that YAML takes for something else is not quoted', () => {
  const text = (password: string) => `${base}admin: { token: ${password} }\n${pipelines}`
  const message = (kind: string) => expect.stringMatching(new RegExp(`^test.yaml:6:17.*: ${kind}: put a value`))
  expect(problems(text('*hunter2'))).toContainEqual(message('alias of nothing'))
  expect(problems(text('!hunter2 x'))).toContainEqual(message('unknown tag'))
  for (const sign of ['*', '!', '&', '%', '@', '`', '|', '>', '"', "'", '{', '[']) {
    expect(problems(text(`${sign}hunter2`)).join()).not.toContain('hunter2')
  }
})

test('no problem quotes a secret', () => {
  const text = `${base.replace('mongodb://', 'mongdb://')}admin: { token: [hunter2] }\n${pipelines}`
  const found = problems(text, { env: { M2K_SINK__SASL__PASSWORD: 'hunter2' } })
  expect(found.length).toBeGreaterThanOrEqual(3)
  expect(found.join()).not.toContain('hunter2')
})

test('defaults lie under every pipeline, and their problems are reported once, where they are', () => {
  const text = `${base}defaults:
  partitions: 3
  source: { fullDocument: required }
  topicConfig: { replication: 2, retention.ms: 5 }
${pipelines}    topicConfig: { retention.ms: 6 }
  - { name: b, source: { collections: [b.*] }, partitions: 4 }
`
  const config = load(text)
  expect(config.pipelines.map(pipeline => pipeline.partitions)).toEqual([3, 4])
  expect(config.pipelines[0]?.topicConfig).toEqual({ replication: 2, config: { 'retention.ms': '6' } })
  expect(config.pipelines[1]?.topicConfig).toEqual({ replication: 2, config: { 'retention.ms': '5' } })
  expect(config.pipelines[1]?.source.fullDocument).toBe('required')
  expect(problems(text.replace('partitions: 3', 'partitions: x'))).toEqual([
    'test.yaml:7:15 defaults.partitions: must be a whole number',
  ])
})

test('a cyclic alias and a bomb of aliases are problems, not hangs', () => {
  expect(problems(`${base}${pipelines}x: &x\n  y: *x\n`)).toContainEqual(expect.stringContaining('nested too deeply'))
  const bomb = ['a: &a0 [1,1,1,1,1,1,1,1,1,1]']
  for (let level = 1; level < 9; level++) bomb.push(`b${level}: &a${level} [${Array(10).fill(`*a${level - 1}`)}]`)
  expect(problems(bomb.join('\n'))).toContainEqual(expect.stringContaining('too large'))
})

test('a filter keeps null, __proto__ and a literal placeholder', () => {
  const filter = `      filter: { fullDocument: null, __proto__: 1, a: "$\${x}" }\n`
  const config = load(base + pipelines + filter)
  expect(Object.entries(config.pipelines[0]!.source.filter!)).toEqual([
    ['fullDocument', null],
    ['__proto__', 1],
    ['a', `$\{x}`],
  ])
})

test('a key without a value counts as absent', () => {
  expect(load(`${base}  tls:\ndefaults:\n${pipelines}`).sink.tls).toBeUndefined()
})

test('tls: true means TLS with its defaults, false none', () => {
  expect(load(`${base}  tls: true\n${pipelines}`).sink.tls).toEqual({ rejectUnauthorized: true })
  expect(load(`${base}  tls: false\n${pipelines}`).sink.tls).toBeUndefined()
})
