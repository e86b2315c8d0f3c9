import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SmallDisk } from './small-disk.ts'

/** Writes a file of 10 kB to the directory whenever it is asked, and says how that went. */
const writer = `
  const { writeFileSync } = require('node:fs')
  process.on('message', directory => {
    try {
      writeFileSync(directory + '/' + process.hrtime.bigint(), Buffer.alloc(10_000))
      process.send('written')
    } catch (error) {
      process.send(error.code)
    }
  })`

test('a process finds the disk full, and has room again when it is freed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'm2k-disk-'))
  const child = fork('-e', [writer], { execArgv: [] })
  const write = async (disk: SmallDisk): Promise<unknown> => {
    child.send(disk.directory)
    return (await once(child, 'message'))[0]
  }
  try {
    await using disk = await SmallDisk.open(join(directory, 'disk'))
    expect(await write(disk)).toBe('written')
    await disk.fill([child.pid!])
    expect(await write(disk)).toMatch(/ENOSPC|EFBIG/)
    await disk.free([child.pid!])
    expect(await write(disk)).toBe('written')
  } finally {
    child.kill()
    await rm(directory, { recursive: true, force: true })
  }
})
