import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
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

function open(directory: string, deployment = 'shop') {
  return openFileCheckpoints({ directory, deployment })
}

describeStore('file checkpoints', async () => {
  const directory = freshDirectory()
  await (await open(directory))[Symbol.asyncDispose]()
  return {
    open: () => open(directory),
    plant: bytes => writeFile(join(directory, 'orders.0.checkpoint'), bytes),
  }
})

it('does not take a file that a crash left half-written for the checkpoint', async () => {
  const directory = freshDirectory()
  await using store = await open(directory)
  await store.save(sample({ epoch: 5 }), never)
  await writeFile(join(directory, 'orders.0.checkpoint.tmp'), 'torn')
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 5 }))
  await store.save(sample({ epoch: 6 }), never)
  expect(await readdir(directory)).toEqual(['orders.0.checkpoint'])
})

it('keeps names apart that look alike to a file system', async () => {
  const directory = freshDirectory()
  await using store = await open(directory)
  const names = ['a b', 'a_b', 'A_B', 'a/b', '../a', 'a'.repeat(300)]
  for (const [epoch, pipeline] of names.entries()) await store.save(sample({ pipeline, epoch }), never)
  for (const [epoch, pipeline] of names.entries()) {
    expect(await store.load(pipeline, 0, never)).toEqual(sample({ pipeline, epoch }))
  }
  expect(await readdir(directory)).toHaveLength(names.length)
})

it('asks for another try where the disk fails, and works again afterwards', async () => {
  const directory = freshDirectory()
  await using store = await open(directory)
  await rm(directory, { recursive: true })
  await expect(store.save(sample(), never)).rejects.toMatchObject({ name: 'Retryable', code: 'CHECKPOINT_UNAVAILABLE' })
  await open(directory)
  await store.save(sample(), never)
  expect(await store.load('orders', 0, never)).toEqual(sample())
  const notADirectory = join(directory, 'orders.0.checkpoint')
  await expect(open(notADirectory)).rejects.toMatchObject({
    code: 'CHECKPOINT_UNAVAILABLE',
  })
})

it('says whose directory it is where that is another deployment', async () => {
  const directory = freshDirectory()
  await using other = await open(directory, 'other')
  await other.save(sample({ deployment: 'other' }), never)
  await using store = await open(directory)
  await expect(store.load('orders', 0, never)).rejects.toMatchObject({
    name: 'Configuration',
    code: 'CHECKPOINT_MISMATCH',
    message: expect.stringContaining('it belongs to deployment other, and this one is shop'),
  })
})

it('refuses to save over a later start, or over another one that took the same epoch', async () => {
  const directory = freshDirectory()
  await using one = await open(directory)
  await using other = await open(directory)
  await one.save(sample({ epoch: 3 }), never)
  const fenced = { name: 'Fenced', code: 'CHECKPOINT_FENCED' }
  await expect(other.save(sample({ epoch: 3, savedAtMs: 1 }), never)).rejects.toMatchObject(fenced)
  await one.save(sample({ epoch: 3, savedAtMs: 2 }), never)
  await other.save(sample({ epoch: 4 }), never)
  await expect(one.save(sample({ epoch: 3, savedAtMs: 3 }), never)).rejects.toMatchObject(fenced)
  expect(await one.load('orders', 0, never)).toEqual(sample({ epoch: 4 }))
})

it('saves over a file that was damaged while it ran', async () => {
  const directory = freshDirectory()
  await using store = await open(directory)
  await store.save(sample({ epoch: 3 }), never)
  await writeFile(join(directory, 'orders.0.checkpoint'), 'torn')
  await store.save(sample({ epoch: 3, savedAtMs: 4 }), never)
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 3, savedAtMs: 4 }))
})

it('says that the disk is full, keeps what it has, and goes on when there is room again', async () => {
  const directory = freshDirectory()
  await using store = await open(directory)
  await store.save(sample({ epoch: 1 }), never)
  // Whatever is written to /dev/full fails as on a full disk.
  await symlink('/dev/full', join(directory, 'orders.0.checkpoint.tmp'))
  await expect(store.save(sample({ epoch: 1, savedAtMs: 2 }), never)).rejects.toMatchObject({
    name: 'Retryable',
    code: 'CHECKPOINT_DISK_FULL',
    message: expect.stringContaining('ENOSPC'),
  })
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 1 }))
  await rm(join(directory, 'orders.0.checkpoint.tmp'))
  await store.save(sample({ epoch: 1, savedAtMs: 3 }), never)
  expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 1, savedAtMs: 3 }))
})

it('says that it may not write there', async () => {
  const denied = { name: 'Retryable', code: 'CHECKPOINT_READ_ONLY' }
  // Rights do not stop root, but nobody may make anything there.
  await expect(open('/sys/mongo2kafka')).rejects.toMatchObject(denied)
  await using store = await open('/sys/kernel')
  await expect(store.save(sample(), never)).rejects.toMatchObject(denied)
})
