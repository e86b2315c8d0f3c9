import { expect, test } from 'vitest'
import { type PrintedConfig, printConfig } from '../../src/config/print.ts'
import { InvalidConfig } from '../../src/config/problem.ts'

const text = `name: shop
mongodb:
  uri: \${MONGODB_URI}
sink:
  brokers: ["\${BROKERS:-a:1,b:2}"]
  tls: true
admin:
  port: \${PORT:-9090}
  token: \${file:/run/token}
log:
defaults:
  partitions: 12
  onError: fail
  topicConfig: { replication: 3, cleanup.policy: compact }
pipelines:
  - name: orders
    source:
      collections: [shop.orders]
      filter: { $or: [{ operationType: insert }], 'a/b~c': { d: 1 } }
    topicConfig: { cleanup.policy: delete }
  - name: customers
    onError: { poison: skip }
    source: { collections: [shop.customers] }
    value: { shape: document }
`
const env = { MONGODB_URI: 'mongodb://user:hunter2@localhost/', BROKERS: '', M2K_SINK__TLS__CA: '/ca.crt' }

function print(given: Partial<Parameters<typeof printConfig>[1]> = {}): PrintedConfig {
  return printConfig('shop.yaml', { text, env, overrides: [], readFile: () => 'hunter2', ...given })
}

const fromFile = (line: number, column: number, ...placeholders: readonly unknown[]) => {
  return { kind: 'file', file: 'shop.yaml', line, column, placeholders }
}

test('every value has its origin: place in the file, variable, option or default', () => {
  const { origins } = print({ overrides: ['log.level=warn'] })
  const expected = {
    '/name': fromFile(1, 7),
    '/mongodb/uri': fromFile(3, 8, { variable: 'MONGODB_URI', isSet: true }),
    '/sink/brokers': fromFile(5, 12, { variable: 'BROKERS', isSet: false }),
    '/sink/tls/ca': { kind: 'environment', variable: 'M2K_SINK__TLS__CA' },
    '/sink/tls/rejectUnauthorized': { kind: 'default' },
    '/sink/clientId': { kind: 'default' },
    '/admin/port': fromFile(8, 9, { variable: 'PORT', isSet: false }),
    '/admin/token': fromFile(9, 10, { file: '/run/token' }),
    '/log/level': { kind: 'option', option: '--set log.level' },
    '/log/format': { kind: 'default' },
    '/pipelines/0/partitions': fromFile(12, 15),
    '/pipelines/0/onError/poison': fromFile(13, 12),
    '/pipelines/0/onError/deadLetterTopic': { kind: 'default' },
    '/pipelines/0/topicConfig/replication': fromFile(14, 31),
    '/pipelines/0/topicConfig/cleanup.policy': fromFile(20, 36),
    '/pipelines/0/source/filter/$or': fromFile(19, 22),
    '/pipelines/0/source/filter/a~1b~0c/d': fromFile(19, 65),
    '/pipelines/0/tombstones': { kind: 'default' },
    '/pipelines/1/onError/oversize': fromFile(13, 12),
    '/pipelines/1/onError/poison': fromFile(22, 24),
    '/pipelines/1/topicConfig/cleanup.policy': fromFile(14, 50),
  }
  const found = Object.keys(expected).map(pointer => [pointer, origins.get(pointer)])
  expect(Object.fromEntries(found)).toEqual(expected)
})

test('a whole map from outside is the origin of all of its parts, but not of what defaults add to it', () => {
  const variables = {
    M2K_SINK__TLS: '{ ca: /a, cert: /b, key: /c }',
    M2K_PIPELINES__ORDERS__TOPICCONFIG: '{ retention.ms: 5 }',
    M2K_DEFAULTS__PARTITIONS: '6',
    M2K_PIPELINES__CUSTOMERS__PARTITIONS: '7',
  }
  const { config, origins } = print({ env: { ...env, ...variables } })
  const by = (variable: string) => ({ kind: 'environment', variable })
  expect(origins.get('/sink/tls/cert')).toEqual(by('M2K_SINK__TLS'))
  expect(origins.get('/sink/tls/ca')).toEqual(by('M2K_SINK__TLS__CA'))
  expect(origins.get('/sink/tls/rejectUnauthorized')).toEqual({ kind: 'default' })
  expect(origins.get('/pipelines/0/topicConfig/retention.ms')).toEqual(by('M2K_PIPELINES__ORDERS__TOPICCONFIG'))
  expect(origins.get('/pipelines/0/topicConfig/replication')).toEqual(fromFile(14, 31))
  expect(origins.get('/pipelines/0/partitions')).toEqual(by('M2K_DEFAULTS__PARTITIONS'))
  expect(origins.get('/pipelines/1/partitions')).toEqual(by('M2K_PIPELINES__CUSTOMERS__PARTITIONS'))
  expect(config).toMatchObject({ pipelines: [{ partitions: 6 }, { partitions: 7 }] })
})

test('the values are those in effect, written as files are, without secrets', () => {
  const { config } = print()
  expect(config).toMatchObject({
    mongodb: { uri: '[redacted]' },
    sink: { brokers: ['a:1', 'b:2'], tls: { ca: '/ca.crt' }, clientId: 'mongo2kafka.shop' },
    checkpoint: { topic: 'mongo2kafka.shop.checkpoints', interval: '100ms' },
    admin: { port: 9090, token: '[redacted]' },
    limits: { inFlightBytes: '16MiB' },
    pipelines: [
      { name: 'orders', onError: { oversize: 'fail', poison: 'fail' }, tombstones: false },
      { name: 'customers', onError: { oversize: 'fail', poison: 'skip' }, tombstones: true },
    ],
  })
  expect(config).not.toHaveProperty('defaults')
  expect(Object.keys(config).slice(0, 4)).toEqual(['name', 'revision', 'mongodb', 'sink'])
  expect(JSON.stringify(config)).not.toContain('hunter2')
})

test('a placeholder may stand for a whole map', () => {
  const whole = text.replace(/filter: .*/, `filter: \${FILTER}`)
  const { config, origins } = print({ text: whole, env: { ...env, FILTER: '{ a: { b: 1 } }' } })
  expect(config).toMatchObject({ pipelines: [{ source: { filter: { a: { b: 1 } } } }, {}] })
  const origin = fromFile(19, 15, { variable: 'FILTER', isSet: true })
  expect(origins.get('/pipelines/0/source/filter/a/b')).toEqual(origin)
})

test('what has an origin is what the tree holds, neither more nor less', () => {
  const { config, origins } = print()
  const leaves = (value: unknown, pointer: string): string[] => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
    if (!isMap && pointer !== '/pipelines') return [pointer]
    const entries = Object.entries(value as object)
    return entries.flatMap(([key, child]) => {
      return leaves(child, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    })
  }
  expect([...origins.keys()]).toEqual(leaves(config, ''))
})

test('a file with problems is refused with all of them', () => {
  const wrong = text.replace('name: shop', 'name: a b').replace('operationType', '$where')
  expect(() => print({ text: wrong.replace('partitions: 12', 'partitions: 0') })).toThrow(InvalidConfig)
})
