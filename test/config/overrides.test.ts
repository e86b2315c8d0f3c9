import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { formatProblem, InvalidConfig } from '../../src/config/problem.ts'

const text = `name: shop
mongodb: { uri: "mongodb://localhost/" }
sink: { brokers: [localhost:9092] }
admin: { port: "\${PORT:-8081}" }
pipelines:
  - name: orders-eu.1
    source: { collections: [shop.orders] }
  - name: customers
    source: { collections: [shop.customers] }
`

function load(env: Readonly<Record<string, string>>, overrides: readonly string[] = [], file = text) {
  return loadConfig('test.yaml', { text: file, env, overrides, readFile: () => '' })
}

function problems(env: Readonly<Record<string, string>>, overrides: readonly string[] = [], file = text): string[] {
  try {
    load(env, overrides, file)
  } catch (error) {
    if (error instanceof InvalidConfig) return error.problems.map(formatProblem)
    throw error
  }
  return []
}

test('the environment outranks the file, the command line the environment', () => {
  expect(load({}).admin.port).toBe(8081)
  expect(load({ PORT: '8082' }).admin.port).toBe(8082)
  expect(load({ PORT: '8082', M2K_ADMIN__PORT: '8083' }).admin.port).toBe(8083)
  expect(load({ M2K_ADMIN__PORT: '8083' }, ['admin.port=8084', 'admin.port=0']).admin.port).toBe(0)
})

test('lists, switches and maps are YAML; text is text', () => {
  const config = load({
    M2K_SINK__BROKERS: '[a:1, b:2]',
    M2K_SINK__SASL__MECHANISM: 'plain',
    M2K_SINK__SASL__USERNAME: '12',
    M2K_SINK__SASL__PASSWORD: '1e5 # [',
    M2K_DEFAULTS__TOPICCONFIG: '{ cleanup.policy: compact }',
    M2K_PIPELINES__CUSTOMERS__TOMBSTONES: 'true',
    M2K_PIPELINES__CUSTOMERS__KEY__FIELDS: 'documentKey',
  })
  expect(config.sink.brokers).toEqual(['a:1', 'b:2'])
  expect(config.sink.sasl?.username).toBe('12')
  expect(config.sink.sasl?.password?.reveal()).toBe('1e5 # [')
  expect(config.pipelines[1]).toMatchObject({
    tombstones: true,
    key: { fields: 'documentKey' },
    topicConfig: { config: { 'cleanup.policy': 'compact' } },
  })
})

test('a pipeline is found by its name', () => {
  const config = load({ M2K_PIPELINES__ORDERS_EU_1__TOPIC: 'a' }, ['pipelines.customers.topic=b'])
  expect(config.pipelines.map(pipeline => pipeline.topic)).toEqual(['a', 'b'])
  expect(load({}, ['pipelines.orders-eu.1.topic=c']).pipelines[0]?.topic).toBe('c')
})

test('details of TLS take the place of the switch', () => {
  expect(load({ M2K_SINK__TLS: 'true' }).sink.tls).toEqual({ rejectUnauthorized: true })
  expect(load({ M2K_SINK__TLS: 'true', M2K_SINK__TLS__CA: 'ca.pem' }).sink.tls?.ca).toBe('ca.pem')
})

test('problems name the variable or the argument, and quote no value', () => {
  const env = { M2K_ADMIN__PORT: 'hunter2', M2K_PIPELINES__CUSTOMERS__PARTITIONS: '0', M2K_SINK__BROKERS: '[x' }
  expect(problems(env, ['log.level=inf', 'retry.max=1'])).toEqual([
    '--set log.level log.level: not supported; supported in this release: debug, info, warn, error (did you mean info?)',
    '--set retry.max retry.max: must be a duration with its unit, such as 250ms, 10s, 5m or 1h',
    'environment variable M2K_ADMIN__PORT admin.port: must be a whole number',
    'environment variable M2K_PIPELINES__CUSTOMERS__PARTITIONS pipelines[1].partitions: must be at least 1',
    'environment variable M2K_SINK__BROKERS sink.brokers: must be a list',
  ])
})

test('secrets are not taken from the command line, which every user of the machine sees', () => {
  expect(problems({}, ['admin.token=hunter2', 'mongodb.uri=mongodb://u:hunter2@h/'])).toEqual([
    '--set admin.token: is a secret, and every user of the machine sees the command line: use M2K_ADMIN__TOKEN, or $'.concat(
      '{file:/path} in the file',
    ),
    expect.stringMatching(/^--set mongodb\.uri: is a secret, .* use M2K_MONGODB__URI,/),
  ])
  expect(load({}, ['mongodb.uri=mongodb://a,b/?replicaSet=x']).mongodb.uri.reveal()).toBe('mongodb://a,b/?replicaSet=x')
  expect(load({ M2K_ADMIN__TOKEN: 'hunter2' }).admin.token?.reveal()).toBe('hunter2')
})

test('what sets nothing is an error', () => {
  const env = { M2K_SINK__BROKER: 'a:1', M2K_PIPELINES__CUSTOMER__TOPIC: 'a', M2K_TEST_KAFKA_BROKERS: 'a:1', OTHER: '' }
  expect(problems(env, ['sink.broker=a', 'sink.type'])).toEqual([
    '--set sink.broker: no such setting (did you mean sink.brokers?)',
    '--set sink.type: must be PATH=VALUE, such as sink.type=stdout',
    'environment variable M2K_PIPELINES__CUSTOMER__TOPIC: sets nothing: no setting has this name (did you mean M2K_PIPELINES__CUSTOMERS__TOPIC?); unset it',
    'environment variable M2K_SINK__BROKER: sets nothing: no setting has this name (did you mean M2K_SINK__BROKERS?); unset it',
  ])
})

test('a variable that the file itself names may begin with M2K_', () => {
  const file = text.replace('PORT:-8081', 'M2K_MY_PORT:-8081')
  expect(load({ M2K_MY_PORT: '1' }, [], file).admin.port).toBe(1)
})

test('an override does not hide that its section is no section', () => {
  const file = text.replace('sink: { brokers: [localhost:9092] }', 'sink: kafka')
  expect(problems({ M2K_SINK__TYPE: 'kafka' }, [], file)).toContain('test.yaml:3:7 sink: must be settings (key: value)')
})

test('names that share their variables are refused', () => {
  const file = text.replace('name: customers', 'name: orders.eu-1')
  expect(problems({}, [], file)).toEqual([expect.stringContaining('test.yaml:8:11 pipelines[1].name: differs from')])
})
