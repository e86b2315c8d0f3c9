import { MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { Daemon } from './daemon.ts'
import { Setting } from './setting.ts'

/** Two daemons of one name, which nobody told to share: the later one goes on, with nothing lost or out of order. */
test('with checkpoints in MongoDB a second daemon takes over, and the first one says so and ends', {
  timeout: 600_000,
}, async () => {
  await using setting = await Setting.create({ documents: 200, collections: ['a', 'b'], partitions: 3 })
  const database = `${setting.name}_checkpoints`
  const config = `${setting.config}
delivery: at-least-once
workers: { slots: 2 }
checkpoint: { store: mongodb, uri: "${inject('mongodbUri')}", database: ${database} }
`
  await using client = new MongoClient(inject('mongodbUri'))
  const [a = '', b = ''] = setting.namespaces
  await using first = await Daemon.start(config)
  await first.reaches('all', 'idle', 'running')
  await setting.writer.write(a, 2_000)
  await setting.writer.write(b, 200)
  await setting.arrived(first)
  await using second = await Daemon.start(config)
  const writing = setting.writer.write(b, 2_000)
  expect(await first.exit()).toBe(1)
  expect(first.stderr).toMatch(/CHECKPOINT_FENCED|SINK_FENCED/)
  await writing
  await setting.arrived(second)
  expect((await setting.judge(true)).violations).toEqual([])
  expect(await second.stop('SIGTERM')).toBe(0)
  const kept = await client.db(database).collection('checkpoints').find().toArray()
  const kinds = kept.map(({ _id }) => (_id as unknown as { kind: string }).kind).toSorted()
  expect(kinds).toEqual(['checkpoint', 'checkpoint', 'facts', 'start'])
  expect(JSON.stringify(kept)).not.toContain('fullDocument')
  await client.db(database).dropDatabase()
})
