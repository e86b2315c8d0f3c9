import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openFileCheckpoints } from '../../src/checkpoint/file.ts'
import { describeStore } from './conformance.ts'
import { sample } from './sample.ts'

const never = new AbortController().signal
let base = ''
let places = 0

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'mongo2kafka-checkpoints-'))
})
afterAll(async () => {
  await rm(base, { recursive: true })
})

function freshDirectory(): string {
  places += 1
  return join(base, String(places), 'checkpoints')
}

describeStore('file checkpoints', async () => {
  const directory = freshDirectory()
  await (await openFileCheckpoints({ directory }))[Symbol.asyncDispose]()
  return {
    open: () => openFileCheckpoints({ directory }),
    plant: bytes => writeFile(join(directory, 'orders.0.checkpoint'), bytes),
  }
})

it('does not take a file that a crash left half-written for the checkpoint', async () => {
  const directory = freshDirectory()
  await using store = await openFileCheckpoints({ directory })
  await store.save(sample({ epoch: 5 }), never)
  await writeFile(join(directory, 'orders.0.checkpoint.tmp'), 'torn')
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 5 }))
  await store.save(sample({ epoch: 6 }), never)
  expect(await readdir(directory)).toEqual(['orders.0.checkpoint'])
})

it('keeps names apart that look alike to a file system', async () => {
  const directory = freshDirectory()
  await using store = await openFileCheckpoints({ directory })
  const names = ['a b', 'a_b', 'A_B', 'a/b', '../a', 'a'.repeat(300)]
  for (const [epoch, pipeline] of names.entries()) await store.save(sample({ pipeline, epoch }), never)
  for (const [epoch, pipeline] of names.entries()) {
    expect(await store.load(pipeline, 0, never)).toEqual(sample({ pipeline, epoch }))
  }
  expect(await readdir(directory)).toHaveLength(names.length)
})

it('asks for another try where the disk fails, and works again afterwards', async () => {
  const directory = freshDirectory()
  await using store = await openFileCheckpoints({ directory })
  await rm(directory, { recursive: true })
  await expect(store.save(sample(), never)).rejects.toMatchObject({ name: 'Retryable', code: 'CHECKPOINT_UNAVAILABLE' })
  await openFileCheckpoints({ directory })
  await store.save(sample(), never)
  expect(await store.load('orders', 0, never)).toEqual(sample())
  const notADirectory = join(directory, 'orders.0.checkpoint')
  await expect(openFileCheckpoints({ directory: notADirectory })).rejects.toMatchObject({
    code: 'CHECKPOINT_UNAVAILABLE',
  })
})
