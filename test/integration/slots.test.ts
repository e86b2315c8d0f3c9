import { expect, inject, test } from 'vitest'
import type { ConfigStatus, WorkersStatus } from '../../src/status.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { Setting } from './setting.ts'

const shape = { documents: 300, collections: ['orders', 'items'], partitions: 4 }

interface Options {
  readonly name: string
  readonly delivery: string
  readonly workers: string
  readonly topic?: string
}

function configOf(setting: Setting, { name, delivery, workers, topic = '{db}.{collection}' }: Options): string {
  return `
name: ${name}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))} }
delivery: ${delivery}
workers: ${workers}
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
pipelines:
  - name: all
    source: { collections: [${setting.name}.*] }
    topic: '${topic}'
    partitions: ${shape.partitions}
`
}

test('four slots on one worker: the same history, once each, in both deliveries', { timeout: 600_000 }, async () => {
  await using setting = await Setting.create(shape)
  const workers = '{ slots: 4 }'
  const daemonOf = (delivery: string, prefix: string) =>
    Daemon.start(
      configOf(setting, { name: `${setting.name}${prefix}x`, delivery, workers, topic: `${prefix}{db}.{collection}` }),
    )
  await using atLeastOnce = await daemonOf('at-least-once', 'alo.')
  await using exactlyOnce = await daemonOf('exactly-once', 'eo.')
  for (const daemon of [atLeastOnce, exactlyOnce]) await daemon.reaches('all', 'running', 'idle')
  for (let round = 0; round < 5; round++) {
    for (const namespace of setting.namespaces) await setting.writer.write(namespace, 1_000, 200)
  }
  for (const [daemon, prefix] of [
    [atLeastOnce, 'alo.'],
    [exactlyOnce, 'eo.'],
  ] as const) {
    await setting.arrived(daemon, prefix)
    expect(await daemon.stop('SIGTERM'), daemon.output.slice(-3_000)).toBe(0)
    expect(await setting.judge(false, prefix)).toEqual({ violations: [], duplicates: 0 })
    expect(daemon.output).toContain(`"slot":3`)
  }
})

const workersOf = async (daemon: Daemon) => (await daemon.get('/api/v1/workers')) as WorkersStatus

/** Waits until the two share out all four slots evenly. */
async function shared(...daemons: readonly Daemon[]): Promise<void> {
  const settled = async () => {
    const all = await Promise.all(daemons.map(workersOf))
    const owned = all.flatMap(({ owned }) => owned).toSorted()
    return all.every(({ state, owned }) => state === 'working' && owned.length === 4 / daemons.length) &&
      owned.join() === '0,1,2,3'
      ? true
      : undefined
  }
  await eventually(settled, `four slots on ${daemons.length} workers`)
}

test.each(['at-least-once', 'exactly-once'])(
  'two workers, %s: one joins, is killed, another joins, one leaves; nothing is lost',
  { timeout: 600_000 },
  async delivery => {
    await using setting = await Setting.create({ ...shape, collections: ['orders'] })
    const workers = '{ slots: 4, coordination: kafka, sessionTimeout: 6s }'
    const config = configOf(setting, { name: setting.name, delivery, workers })
    await using first = await Daemon.start(config)
    await shared(first)
    await first.reaches('all', 'running', 'idle')
    const [orders = ''] = setting.namespaces
    await using second = await Daemon.start(config)
    await using third = await setting.writer.writeWhile(orders, async () => {
      await shared(first, second)
      await setting.more(orders, 200)
      await second.stop('SIGKILL')
      await shared(first)
      await setting.more(orders, 200)
      const daemon = await Daemon.start(config)
      await shared(first, daemon)
      await setting.more(orders, 200)
      expect(await first.stop('SIGTERM'), first.output.slice(-3_000)).toBe(0)
      await shared(daemon)
      await setting.more(orders, 200)
      return daemon
    })
    await setting.arrived(third)
    expect(await third.stop('SIGTERM'), third.output.slice(-3_000)).toBe(0)
    const verdict = await setting.judge(delivery === 'at-least-once')
    expect(verdict.violations).toEqual([])
    if (delivery === 'exactly-once') expect(verdict.duplicates).toBe(0)
  },
)

test('one slot: the second worker is a hot standby, ready and without a lag, until the first is killed', {
  timeout: 600_000,
}, async () => {
  await using setting = await Setting.create({ ...shape, collections: ['orders'] })
  const workers = '{ slots: 1, coordination: kafka, sessionTimeout: 6s }'
  const config = configOf(setting, { name: setting.name, delivery: 'exactly-once', workers })
  await using active = await Daemon.start(config)
  await active.reaches('all', 'running', 'idle')
  await using standby = await Daemon.start(config)
  await standby.reaches('all', 'standby')
  expect(await standby.get('/readyz')).toMatchObject({ ready: true })
  expect(await standby.text('/metrics')).toContain('mongo2kafka_slots_owned 0')
  expect(await standby.text('/metrics')).not.toContain('mongo2kafka_pipeline_lag_seconds{')
  const [orders = ''] = setting.namespaces
  await setting.writer.writeWhile(orders, async () => {
    await setting.more(orders, 200)
    await active.stop('SIGKILL')
    await standby.reaches('all', 'running', 'idle')
    await setting.more(orders, 200)
  })
  await setting.arrived(standby)
  expect(await standby.stop('SIGTERM'), standby.output.slice(-3_000)).toBe(0)
  expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
})

test('two workers by their ordinals share the slots; a third one is a mistake', { timeout: 600_000 }, async () => {
  await using setting = await Setting.create(shape)
  const start = (ordinal: number) => {
    const workers = `{ slots: 4, coordination: static, replicas: 2, ordinal: ${ordinal} }`
    return Daemon.start(configOf(setting, { name: setting.name, delivery: 'exactly-once', workers }))
  }
  await using even = await start(0)
  await using odd = await start(1)
  await using wrong = await start(2)
  expect(await wrong.exit()).toBe(78)
  expect(wrong.stderr).toContain('workers.ordinal: must be less than workers.replicas (2)')
  for (const daemon of [even, odd]) await daemon.reaches('all', 'running', 'idle')
  expect([(await workersOf(even)).owned, (await workersOf(odd)).owned]).toEqual([
    [0, 2],
    [1, 3],
  ])
  for (const namespace of setting.namespaces) await setting.writer.write(namespace, 1_000, 200)
  await setting.arrived(even)
  for (const daemon of [even, odd]) expect(await daemon.stop('SIGTERM'), daemon.output.slice(-3_000)).toBe(0)
  expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
})

const token = 'token-of-the-test'

/** Two pipelines, one for `items` and one for these collections. */
function twoPipelines(setting: Setting, collections: readonly string[], revision: number): string {
  const reads = (names: readonly string[]) =>
    `source: { collections: [${names.map(each => `${setting.name}.${each}`)}] }`
  return `
name: ${setting.name}
revision: ${revision}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))} }
delivery: exactly-once
workers: { slots: 4, coordination: kafka, sessionTimeout: 6s }
admin: { port: 0, token: ${token} }
retry: { initial: 100ms, max: 1s }
defaults: { partitions: ${shape.partitions} }
pipelines:
  - { name: orders, ${reads(collections)} }
  - { name: items, ${reads(['items'])} }
`
}

test('a pause holds on all workers, when one dies and when one joins; who has an older file leaves alone what a newer one began', {
  timeout: 600_000,
}, async () => {
  await using setting = await Setting.create({ ...shape, collections: ['orders', 'items', 'more'] })
  const [orders = '', items = '', more = ''] = setting.namespaces
  const old = twoPipelines(setting, ['orders'], 1)
  await using first = await Daemon.start(old)
  await using second = await Daemon.start(old)
  await shared(first, second)
  for (const daemon of [first, second]) await daemon.reaches('orders', 'running', 'idle')

  const pauseAndKill = async () => {
    await setting.more(orders, 100)
    expect(await first.order('orders', 'pause', token)).toMatchObject({ changed: true })
    const { records: ofFirst } = await first.reaches('orders', 'paused')
    const { records: ofSecond } = await second.reaches('orders', 'paused')
    await setting.more(items, 100)
    expect((await first.reaches('orders', 'paused')).records).toBe(ofFirst)
    await first.stop('SIGKILL')
    await shared(second)
    await setting.more(items, 100)
    expect((await second.reaches('orders', 'paused')).records).toBe(ofSecond)
    expect(await second.order('orders', 'resume', token)).toMatchObject({ changed: true })
    await setting.more(orders, 100)
  }
  await setting.writer.writeWhile(orders, () => setting.writer.writeWhile(items, pauseAndKill))

  const wider = twoPipelines(setting, ['orders', 'more'], 2)
  await second.rewrite(wider)
  const applied = async () => {
    const { lastReload } = (await second.get('/api/v1/config')) as ConfigStatus
    return lastReload?.applied ? true : undefined
  }
  await eventually(applied, 'the wider selection')
  await second.reaches('orders', 'running', 'idle') // On every slot, by revision 2.
  for (const namespace of [orders, more]) await setting.writer.write(namespace, 200)
  await using third = await Daemon.start(old)
  await shared(second, third)
  await third.reaches('orders', 'retrying')
  for (const namespace of [orders, more, items]) await setting.writer.write(namespace, 200)
  expect(third.output).toContain('CONFIG_SUPERSEDED')
  expect((await third.reaches('orders', 'retrying')).records).toBe(0)
  await third.rewrite(wider)
  for (const pipeline of ['orders', 'items']) await third.reaches(pipeline, 'running', 'idle')
  await setting.arrived(third)
  for (const daemon of [second, third]) expect(await daemon.stop('SIGTERM'), daemon.output.slice(-3_000)).toBe(0)
  expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
})
