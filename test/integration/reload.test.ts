import { expect, inject, test } from 'vitest'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { Setting } from './setting.ts'

const shape = { documents: 100, collections: ['orders'], partitions: 3 }
const token = 'token-of-the-test'

/** The configuration of a daemon with these pipelines, each `NAME: SETTINGS` of a pipeline. */
function configOf(name: string, delivery: string, pipelines: Readonly<Record<string, string>>, rest = ''): string {
  const entries = Object.entries(pipelines).map(([pipeline, settings]) => `  - { name: ${pipeline}, ${settings} }`)
  return `
name: ${name}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))} }
delivery: ${delivery}
admin: { port: 0, token: ${token} }
retry: { initial: 100ms, max: 1s }
${rest}
defaults: { partitions: 3 }
pipelines:
${entries.join('\n')}
`
}

const reads = (setting: Setting, more = '') => `source: { collections: [${setting.name}.*]${more} }`

/** How often the pipeline has begun to read. */
function starts({ output }: Daemon, pipeline: string): number {
  return output
    .split('\n')
    .filter(line => line.includes('reading changes') && line.includes(`"pipeline":"${pipeline}"`)).length
}

interface ConfigAnswer {
  readonly lastReload: { readonly applied: boolean; readonly problems: readonly string[] } | null
}

async function reloaded(daemon: Daemon, wanted: (last: NonNullable<ConfigAnswer['lastReload']>) => boolean) {
  const found = async () => {
    const { lastReload } = (await daemon.get('/api/v1/config')) as ConfigAnswer
    return lastReload && wanted(lastReload) ? lastReload : undefined
  }
  return eventually(found, () => `a reload: ${daemon.output.slice(-2_000)}`)
}

test.each(['at-least-once', 'exactly-once'])(
  'reload under load, %s: added, changed and removed pipelines lose and repeat nothing, the others are not touched',
  { timeout: 600_000 },
  async delivery => {
    await using same = await Setting.create(shape)
    await using changed = await Setting.create(shape)
    await using removed = await Setting.create(shape)
    await using added = await Setting.create(shape)
    const config = (pipelines: Readonly<Record<string, string>>) => configOf(same.name, delivery, pipelines)
    const first = { same: reads(same), changed: reads(changed), removed: reads(removed) }
    await using daemon = await Daemon.start(config(first))
    for (const name of Object.keys(first)) await daemon.reaches(name, 'running', 'idle')
    const [ofSame = '', ofChanged = ''] = [...same.namespaces, ...changed.namespaces]

    const reload = async () => {
      await same.more(ofSame, 100)
      const next = {
        same: reads(same),
        changed: `${reads(changed)}, value: { format: extended-json }`,
        added: reads(added),
      }
      await daemon.rewrite(config({ ...next, removed: reads(removed) }))
      await daemon.reaches('added', 'running', 'idle')
      await added.writer.write(added.namespaces[0]!, 500, 100)
      await changed.more(ofChanged, 100)
      // Its filter and its collections change too: nothing before the change is lost, nothing comes twice.
      const filtered = reads(changed, ', filter: { operationType: { $ne: drop } }').replace(
        '.*]',
        '.orders, elsewhere.x]',
      )
      await daemon.rewrite(config({ ...next, changed: filtered }))
      await eventually(() => (starts(daemon, 'changed') === 3 ? true : undefined), 'a third start')
      await same.more(ofSame, 100)
    }
    await same.writer.writeWhile(ofSame, () => changed.writer.writeWhile(ofChanged, reload))

    expect((await daemon.statuses()).map(({ name }) => name)).toEqual(['same', 'changed', 'added'])
    for (const setting of [same, changed, added]) await setting.arrived(daemon)
    expect(await daemon.stop('SIGTERM'), daemon.output.slice(-3_000)).toBe(0)
    for (const setting of [same, changed, added]) {
      expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
    }
    expect([starts(daemon, 'same'), starts(daemon, 'changed'), starts(daemon, 'added')]).toEqual([1, 3, 1])
  },
)

test('a file with problems, or one that needs a restart, changes nothing and says why', {
  timeout: 600_000,
}, async () => {
  await using setting = await Setting.create(shape)
  const good = configOf(setting.name, 'at-least-once', { all: reads(setting) })
  await using daemon = await Daemon.start(good)
  await daemon.reaches('all', 'running', 'idle')

  await daemon.rewrite(good.replace('retry:', 'retyr:'))
  const invalid = await reloaded(daemon, ({ problems }) => problems.some(problem => problem.includes('retyr')))
  expect(invalid).toMatchObject({
    applied: false,
    problems: [expect.stringMatching(/config\.yaml:\d+:1 retyr: unknown key/)],
  })
  const metrics = () => daemon.text('/metrics')
  expect(await metrics()).toContain('mongo2kafka_config_last_reload_successful 0')

  await daemon.rewrite(good.replace('max: 1s', 'max: 2s').replace(token, 'another'))
  const refused = await reloaded(daemon, ({ problems }) => problems.some(problem => problem.includes('restart')))
  expect(refused.problems).toEqual(['admin.token changes only by a restart', 'retry.max changes only by a restart'])

  await daemon.rewrite(good)
  await reloaded(daemon, ({ applied }) => applied)
  expect(await metrics()).toContain('mongo2kafka_config_last_reload_successful 1')
  const asked = () => daemon.output.split('as asked').length - 1
  daemon.signal('SIGHUP')
  await eventually(() => (asked() === 1 ? true : undefined), 'a reload on SIGHUP')
  expect(starts(daemon, 'all')).toBe(1)
  await setting.writer.write(setting.namespaces[0]!, 200)
  await setting.arrived(daemon)
  expect(await daemon.stop('SIGTERM')).toBe(0)
})

test.each(['at-least-once', 'exactly-once'])(
  'pause and resume under load, %s: the paused one catches up without loss or duplicate, the others go on',
  { timeout: 600_000 },
  async delivery => {
    await using paused = await Setting.create(shape)
    await using other = await Setting.create(shape)
    const pipelines = { paused: reads(paused), other: reads(other) }
    await using daemon = await Daemon.start(configOf(paused.name, delivery, pipelines, 'workers: { slots: 3 }'))
    for (const name of Object.keys(pipelines)) await daemon.reaches(name, 'running', 'idle')
    const [ofPaused = '', ofOther = ''] = [...paused.namespaces, ...other.namespaces]
    const pause = async () => {
      await paused.more(ofPaused, 100)
      expect(await daemon.order('paused', 'pause', 'wrong')).toBe(401)
      expect(await daemon.order('paused', 'pause', token)).toMatchObject({ changed: true })
      await daemon.reaches('paused', 'paused')
      expect(await daemon.order('paused', 'pause', token)).toMatchObject({ changed: false })
      const { records } = await daemon.reaches('paused', 'paused')
      await other.more(ofOther, 500)
      const still = await daemon.reaches('paused', 'paused')
      expect(still.records).toBe(records)
      expect(still.lagMs).toBeGreaterThan(0)
      expect((await daemon.readiness()).status).toBe(200)
      expect(await daemon.order('paused', 'resume', token)).toMatchObject({ changed: true })
      await paused.more(ofPaused, 100)
    }
    await paused.writer.writeWhile(ofPaused, () => other.writer.writeWhile(ofOther, pause))
    for (const setting of [paused, other]) await setting.arrived(daemon)
    expect(await daemon.stop('SIGTERM'), daemon.output.slice(-3_000)).toBe(0)
    for (const setting of [paused, other]) {
      expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
    }
  },
)
