import { expect, test } from 'vitest'
import { Tail } from '../faults/tail.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { judgeHistory, type Seen } from './history.ts'
import { Setting } from './setting.ts'
import { seenOf } from './topics.ts'

const shape = { documents: 200, collections: ['orders', 'items'], partitions: 4 }
const limitMs = 180_000

/** A reader that reads committed records as they come, and the daemon in the mode that it is about. */
async function reading(setting: Setting, workers: string) {
  const seen: Seen[] = []
  const tail = new Tail({
    brokers: setting.brokers,
    topics: setting.namespaces,
    see: (_topic, partition, { value }) => {
      if (value !== null) seen.push(seenOf(value, partition))
    },
  })
  const daemon = async (): Promise<Daemon> => {
    const settings = `delivery: exactly-once\nworkers: ${workers}\n`
    const daemon = await Daemon.start(setting.config + settings)
    const opened = () => (daemon.output.includes('reading changes') ? true : undefined)
    await eventually(opened, () => `a start: ${daemon.output}`, limitMs)
    return daemon
  }
  /** Waits until `count` more records are committed. */
  const more = async (count: number): Promise<void> => {
    const enough = seen.length + count
    await eventually(() => (seen.length >= enough ? true : undefined), `${count} more committed records`, limitMs)
  }
  return { seen, tail, daemon, more }
}

test.each([
  ['one slot', '{ slots: 1 }'],
  ['three slots', '{ slots: 3 }'],
])(
  'SIGKILL again and again, %s: read-committed readers see every change once, in order (G1, G2, G4)',
  {
    timeout: 600_000,
  },
  async (_name, workers) => {
    await using setting = await Setting.create(shape)
    const { seen, tail, daemon: start, more } = await reading(setting, workers)
    await using _tail = tail
    for (let round = 0; round < 6; round++) {
      await using daemon = await start()
      const namespace = setting.namespaces[round % 2] ?? ''
      await setting.writer.writeWhile(
        namespace,
        async () => {
          // At another moment of the transaction each time: commits follow each other every few milliseconds.
          await more(50 + 37 * round)
          await daemon.stop('SIGKILL')
        },
        100,
      )
    }
    await using daemon = await start()
    await eventually(
      () => (seen.length >= setting.writer.written ? true : undefined),
      () => `all of ${setting.writer.written} changes: ${daemon.output.slice(-3_000)}`,
      limitMs,
    )
    expect(await daemon.stop('SIGTERM'), daemon.output.slice(-3_000)).toBe(0)
    await tail.caughtUp(limitMs)
    expect(judgeHistory(setting.writer.journal, seen, false)).toEqual({ violations: [], duplicates: 0 })
  },
)

test('two copies that do not know of each other: one is fenced, and no change is seen twice (G4)', {
  timeout: 600_000,
}, async () => {
  await using setting = await Setting.create(shape)
  const { seen, tail, daemon: start, more } = await reading(setting, '{ slots: 1 }')
  await using _tail = tail
  const [orders = ''] = setting.namespaces
  await using first = await start()
  const second = await setting.writer.writeWhile(orders, async () => {
    await more(200)
    const other = await start()
    expect(await first.exit(), first.output.slice(-3_000)).toBe(1)
    await more(200)
    return other
  })
  await using _second = second
  expect(first.output).toContain('SINK_FENCED')
  await eventually(() => (seen.length >= setting.writer.written ? true : undefined), 'all changes', limitMs)
  expect(await second.stop('SIGTERM'), second.output.slice(-3_000)).toBe(0)
  await tail.caughtUp(limitMs)
  expect(judgeHistory(setting.writer.journal, seen, false)).toEqual({ violations: [], duplicates: 0 })
})
