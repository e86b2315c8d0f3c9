import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Reloader } from '../../src/cli/reload.ts'
import type { Clock } from '../../src/clock.ts'
import { loadConfig } from '../../src/config/config.ts'
import { untilAborted } from '../../src/deadline.ts'
import { type LogFields, silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'

const text = (pipelines: string, rest = '') => `name: shop
mongodb: { uri: "mongodb://u:hunter2@db/" }
sink: { brokers: ["a:9092"] }
pipelines: [${pipelines}]
${rest}`
const orders = '{ name: orders, source: { collections: [shop.orders] } }'
const users = '{ name: users, source: { collections: [shop.users] } }'
const parse = (yaml: string) => loadConfig('f.yaml', { text: yaml, env: {}, overrides: [], readFile: () => '' })

function setting() {
  const file = { text: text(orders) }
  const applied: string[][] = []
  const gauges = new Map<string, number | undefined>()
  const problems: unknown[] = []
  const log = { ...silentLogger, error: (fields: LogFields) => void problems.push(fields.problems) }
  let nowMs = 1_000
  const clock: Clock = {
    nowMs: () => nowMs++,
    random: () => 0,
    sleep: (_, signal) => untilAborted(new Promise(() => {}), signal!),
  }
  const listeners: (() => void)[] = []
  const reloader = new Reloader({
    source: {
      file: '/nowhere/f.yaml',
      load: () => parse(file.text),
      onRequest: listener => void listeners.push(listener),
    },
    config: parse(file.text),
    apply: async ({ pipelines }) => {
      await turn()
      applied.push(pipelines.map(({ name, topic }) => `${name} ${topic}`))
      return { added: [], removed: [], changed: [] }
    },
    clock,
    log,
    meter: { ...silentMeter, gauge: (name, _, value) => gauges.set(name, value) },
  })
  return { file, reloader, applied, gauges, problems, listeners }
}

test('a valid change is applied, and the status says when', async () => {
  const { file, reloader, applied, gauges } = setting()
  expect(reloader.status).toEqual({ loadedAtMs: 1_000, lastReload: null })
  file.text = text(`${orders}, ${users}`, 'defaults: { topic: all }')
  await reloader.reload('as asked')
  expect(applied).toEqual([['orders all', 'users all']])
  expect(reloader.status).toEqual({ loadedAtMs: 1_001, lastReload: { atMs: 1_001, applied: true, problems: [] } })
  expect(gauges.get('config_last_reload_successful')).toBe(1)
  expect(gauges.get('config_last_reload_success_timestamp_seconds')).toBe(1.001)
})

test('an invalid file changes nothing and says why, with line and column, until it is right again', async () => {
  const { file, reloader, applied, gauges, problems } = setting()
  file.text = text(orders, 'delivry: exactly-once')
  await reloader.reload('as asked')
  const problem = 'f.yaml:5:1 delivry: unknown key; supported here: '
  expect(applied).toEqual([])
  expect(reloader.status).toMatchObject({
    loadedAtMs: 1_000,
    lastReload: { applied: false, problems: [expect.stringContaining(problem)] },
  })
  expect(problems).toEqual([[expect.stringContaining(problem)]])
  expect(gauges.get('config_last_reload_successful')).toBe(0)
  expect(gauges.get('config_last_reload_success_timestamp_seconds')).toBe(1)
  file.text = text(orders)
  await reloader.reload('as asked')
  expect(gauges.get('config_last_reload_successful')).toBe(1)
})

test('what only a restart can change is named, and nothing of the file is taken', async () => {
  const { file, reloader, applied } = setting()
  file.text = text(`${orders}, ${users}`, 'workers: { slots: 3 }\nshutdown: { drain: 1s }').replace(
    'hunter2',
    'hunter3',
  )
  await reloader.reload('as asked')
  expect(applied).toEqual([])
  expect(reloader.status.lastReload?.problems).toEqual(
    ['mongodb.uri', 'shutdown.drain', 'workers.slots'].map(setting => `${setting} changes only by a restart`),
  )
})

test('requests come one after another, none at the same time, and none when it is over', async () => {
  const { file, reloader, applied, listeners } = setting()
  const stop = new AbortController()
  const running = reloader.run(stop.signal)
  file.text = text(users)
  listeners[0]?.()
  file.text = text(users, 'defaults: { topic: all }')
  listeners[0]?.()
  await reloader.reload('as asked')
  expect(applied).toHaveLength(3)
  expect(applied.at(-1)).toEqual(['users all'])
  stop.abort()
  await running
  listeners[0]?.()
  await turn()
  expect(applied).toHaveLength(3)
})
