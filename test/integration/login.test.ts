import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { WorkersStatus } from '../../src/status.ts'
import { execute } from '../sink/kafka/acl-commands.ts'
import { type SecureBroker, startSecureBroker, user } from '../sink/kafka/secure-broker.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { Setting } from './setting.ts'

const manual = new URL('../../docs/login.md', import.meta.url)
let broker: SecureBroker
let directory: string

beforeAll(async () => {
  broker = await startSecureBroker(['allow.everyone.if.no.acl.found=false', 'group.initial.rebalance.delay.ms=0'])
  directory = await mkdtemp(join(tmpdir(), 'm2k-login-'))
  await writeFile(join(directory, 'ca.pem'), broker.authority.cert)
  await writeFile(join(directory, 'password'), user.password)
})
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
})

/** The commands of the manual's first list, for this deployment and its topics. */
async function manualCommands(setting: Setting): Promise<string[]> {
  const text = await readFile(manual, 'utf8')
  const [, list = ''] = /## Rights at Kafka[\s\S]*?```sh\n([\s\S]*?)```/.exec(text) ?? []
  const commands = list.split('\n').filter(line => line.startsWith('kafka-acls.sh'))
  expect(commands).toHaveLength(4)
  return commands.flatMap(command => {
    const topics = command.includes('TOPIC') ? setting.namespaces : ['']
    return topics.map(topic =>
      command
        .replace('HOST:PORT', broker.saslTls)
        .replace('User:cdc', `User:${user.username}`)
        .replace('TOPIC', topic)
        .replace('NAME', setting.name),
    )
  })
}

function configOf(setting: Setting, delivery: string): string {
  const sasl = `{ mechanism: scram-sha-512, username: ${user.username}, passwordFile: ${join(directory, 'password')} }`
  const sink = `sink: { brokers: ["${broker.saslTls}"], tls: { ca: ${join(directory, 'ca.pem')} }, sasl: ${sasl} }`
  const workers = 'workers: { slots: 4, coordination: kafka, sessionTimeout: 6s }'
  return `${setting.config.replace(/^sink: .*$/m, sink)}delivery: ${delivery}\n${workers}\n`
}

/** Waits until the daemon has `count` of the four slots and works on them. */
async function has(daemon: Daemon, count: number): Promise<void> {
  const settled = async () => {
    const { state, owned } = (await daemon.get('/api/v1/workers')) as WorkersStatus
    return state === 'working' && owned.length === count ? true : undefined
  }
  await eventually(settled, () => `${count} slots: ${daemon.output.slice(-3_000)}`)
}

test.each(['at-least-once', 'exactly-once'])(
  'two workers with a login and no more rights than the manual lists, %s: one is killed, the other takes over',
  { timeout: 600_000 },
  async delivery => {
    const shape = { documents: 200, collections: ['orders', 'items'], partitions: 2 }
    await using setting = await Setting.create({ ...shape, brokers: [broker.plain] })
    await execute(broker.plain, await manualCommands(setting))
    const config = configOf(setting, delivery)
    await using first = await Daemon.start(config)
    await has(first, 4)
    await first.reaches('all', 'running', 'idle') // The start is fixed: what is written from now on must arrive.
    await using second = await Daemon.start(config)
    const [orders = '', items = ''] = setting.namespaces
    await setting.writer.write(items, 300, 50)
    await setting.writer.writeWhile(orders, async () => {
      await Promise.all([has(first, 2), has(second, 2)])
      await setting.more(orders, 100)
      await second.stop('SIGKILL')
      await has(first, 4)
      await setting.more(orders, 100)
    })
    await setting.arrived(first)
    expect(await first.stop('SIGTERM'), first.output.slice(-3_000)).toBe(0)
    for (const { output } of [first, second]) expect(output).not.toContain('UNAUTHORIZED')
    const { violations, duplicates } = await setting.judge(delivery === 'at-least-once')
    expect(violations).toEqual([])
    if (delivery === 'exactly-once') expect(duplicates).toBe(0)
  },
)
