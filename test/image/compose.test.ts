import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/config.ts'
import { durationMs } from '../../src/config/units.ts'
import { read } from './dockerfile.ts'

interface Service {
  readonly image: string
  readonly build?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly stop_grace_period?: string
}
const compose = parse(read('compose.yaml')) as {
  readonly services: Readonly<Record<'mongodb' | 'kafka' | 'mongo2kafka', Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const { mongodb, kafka, mongo2kafka } = compose.services

/** The configuration that the service is given, where it looks for it. */
function config() {
  const [file] = mongo2kafka.volumes ?? []
  const [from = '', to, mode] = file?.split(':') ?? []
  expect([to, mode]).toEqual(['/etc/mongo2kafka/mongo2kafka.yaml', 'ro'])
  const input = { text: read(from), env: mongo2kafka.environment ?? {}, overrides: [], readFile: () => 'none' }
  return loadConfig(from, input)
}

test('mongo2kafka is given a configuration that is valid and names the other services', () => {
  const { mongodb: source, sink, admin, shutdown } = config()
  const uri = new URL(source.uri.reveal())
  expect([uri.host, uri.searchParams.get('replicaSet')]).toEqual(['mongodb:27017', 'rs0'])
  expect(mongodb.command).toEqual(expect.arrayContaining(['--replSet', 'rs0', '--bind_ip_all']))
  expect(mongodb.healthcheck?.test.at(-1)).toContain(`_id: 'rs0', members: [{ _id: 0, host: '${uri.host}' }]`)
  expect(kafka.environment?.KAFKA_ADVERTISED_LISTENERS).toContain(`INSIDE://${sink.brokers.join(',')}`)
  expect(mongo2kafka.ports).toEqual([`127.0.0.1:${admin.port}:${admin.port}`])
  expect(admin.host).toBe('0.0.0.0')
  expect(durationMs(mongo2kafka.stop_grace_period ?? '')).toBeGreaterThan(shutdown.drainMs)
})

test('it waits for the others, which say when they are there', () => {
  const healthy = { condition: 'service_healthy' }
  expect(mongo2kafka.depends_on).toEqual({ mongodb: healthy, kafka: healthy })
  for (const service of [mongodb, kafka]) expect(service.healthcheck?.test[0]).toBe('CMD')
})

test('it has no rights and no writable file system', () => {
  expect(mongo2kafka).toMatchObject({ build: '.', read_only: true, cap_drop: ['ALL'] })
})

test('every listener of Kafka has an address, a protocol and a role', () => {
  const variables = kafka.environment ?? {}
  const named = (variable: string) => variables[variable]?.split(',').map(entry => /^\w+/.exec(entry)?.[0]) ?? []
  const listeners = named('KAFKA_LISTENERS')
  expect(named('KAFKA_LISTENER_SECURITY_PROTOCOL_MAP').toSorted()).toEqual(listeners.toSorted())
  const { KAFKA_CONTROLLER_LISTENER_NAMES: controller, KAFKA_INTER_BROKER_LISTENER_NAME: between } = variables
  expect(named('KAFKA_ADVERTISED_LISTENERS')).toEqual(listeners.filter(name => name !== controller))
  expect(listeners).toContain(between)
  const voter = /@(.+)$/.exec(variables.KAFKA_CONTROLLER_QUORUM_VOTERS ?? '')?.[1]
  expect(variables.KAFKA_LISTENERS).toContain(`${controller}://${voter}`)
})

test('images have versions, and volumes are declared', () => {
  expect(mongodb.image).toMatch(/^mongo:\d+\.\d+\.\d+$/)
  expect(kafka.image).toMatch(/^apache\/kafka:\d+\.\d+\.\d+$/)
  const used = [mongodb, kafka].flatMap(({ volumes }) => volumes?.map(volume => volume.split(':')[0]) ?? [])
  expect(used.toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
})
