import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { fileChanges } from '../../src/config/file-watch.ts'
import { type LogFields, silentLogger } from '../../src/log.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'm2k-watch-'))
})
afterEach(() => rm(directory, { recursive: true }))

/** Never looks by itself: only what the directory tells can wake it. */
const patient: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms >= 1_000 ? 3_600_000 : 1, signal),
}
/** Looks all the time. */
const restless: Clock = { ...systemClock, sleep: (_, signal) => systemClock.sleep(1, signal) }

function watching(file: string, clock = patient) {
  const stop = new AbortController()
  const warnings: LogFields[] = []
  const log = { ...silentLogger, warn: (fields: LogFields) => void warnings.push(fields) }
  const changes = fileChanges({ file, clock, log }, stop.signal)
  return { changes, stop, warnings }
}

test('tells of the file at the beginning, and of each new text', async () => {
  const file = join(directory, 'config.yaml')
  await writeFile(file, 'a')
  const { changes, stop } = watching(file)
  expect(await changes.next()).toEqual({ done: false, value: undefined })
  const second = changes.next()
  await writeFile(join(directory, 'other'), 'x')
  await writeFile(file, 'b')
  expect(await second).toEqual({ done: false, value: undefined })
  const third = changes.next()
  await writeFile(join(directory, 'next'), 'c')
  await rename(join(directory, 'next'), file) // As editors do.
  expect((await third).done).toBe(false)
  const last = changes.next()
  stop.abort()
  expect((await last).done).toBe(true)
})

test('a ConfigMap: the link of the directory is exchanged, the file itself never changes', async () => {
  const publish = async (version: string, text: string) => {
    await mkdir(join(directory, version))
    await writeFile(join(directory, version, 'config.yaml'), text)
    await symlink(version, join(directory, '..new'))
    await rename(join(directory, '..new'), join(directory, '..data'))
  }
  await publish('..1', 'a')
  const file = join(directory, 'config.yaml')
  await symlink('..data/config.yaml', file)
  const { changes, stop } = watching(file)
  await changes.next()
  const second = changes.next()
  await publish('..2', 'b')
  expect((await second).done).toBe(false)
  stop.abort()
  await changes.next()
})

test('a file that is gone for a while is no change; a directory that cannot be watched is looked at', async () => {
  const file = join(directory, 'absent', 'config.yaml')
  const { changes, stop, warnings } = watching(file, restless)
  const first = changes.next()
  await mkdir(join(directory, 'absent'))
  await writeFile(file, 'a')
  expect((await first).done).toBe(false)
  expect(warnings).toHaveLength(1)
  const second = changes.next()
  await rm(file)
  await writeFile(file, 'a')
  await writeFile(`${file}.next`, 'b')
  await rename(`${file}.next`, file)
  expect((await second).done).toBe(false)
  stop.abort()
  expect((await changes.next()).done).toBe(true)
})
