import { describe, expect, test } from 'vitest'
import { Setting } from './setting.ts'

const shape = { documents: 200, collections: ['orders', 'items'], partitions: 6 }

describe('the daemon restarted under load, on real MongoDB and Kafka', () => {
  test('SIGTERM: exit 0, nothing lost, nothing twice (G1, G2, G3)', { timeout: 600_000 }, async () => {
    await using setting = await Setting.create(shape)
    for (let round = 0; round < 3; round++) {
      await using daemon = await setting.daemon()
      const namespace = setting.namespaces[round % 2] ?? ''
      await setting.writer.writeWhile(
        namespace,
        async () => {
          await setting.more(namespace, 1_000)
          expect(await daemon.stop('SIGTERM'), daemon.output).toBe(0)
        },
        100,
      )
    }
    await using daemon = await setting.daemon()
    await setting.arrived(daemon)
    expect(await daemon.stop('SIGTERM')).toBe(0)
    expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
  })

  test('SIGKILL: nothing lost, duplicates only as a replayed suffix (G1, G2, G3)', { timeout: 600_000 }, async () => {
    await using setting = await Setting.create(shape)
    for (let round = 0; round < 4; round++) {
      await using daemon = await setting.daemon()
      const namespace = setting.namespaces[round % 2] ?? ''
      await setting.writer.writeWhile(
        namespace,
        async () => {
          await setting.more(namespace, 100 + 700 * round)
          await daemon.stop('SIGKILL')
        },
        100,
      )
    }
    await using daemon = await setting.daemon()
    await setting.arrived(daemon)
    expect(await daemon.stop('SIGTERM')).toBe(0)
    expect((await setting.judge(true)).violations).toEqual([])
  })
})

test('two collections, 12 partitions, 100,000 changes over 5,000 documents: one partition a document, in commit order', {
  timeout: 600_000,
}, async () => {
  await using setting = await Setting.create({ documents: 2_500, collections: ['orders', 'items'], partitions: 12 })
  await using daemon = await setting.daemon()
  const [orders = '', items = ''] = setting.namespaces
  await Promise.all([orders, items].map(namespace => setting.writer.writeAtOnce(namespace, 50_000, 500, 10)))
  await setting.arrived(daemon)
  expect(await daemon.stop('SIGTERM'), daemon.output).toBe(0)
  expect(setting.writer.written).toBe(100_000)
  expect(setting.writer.journal.size).toBe(5_000)
  expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
})
