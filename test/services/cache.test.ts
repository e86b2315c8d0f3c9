import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cacheDir, cached } from '../../src/services/cache.ts'

let cache: string
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'mongo2kafka-cache-'))
})
afterEach(() => rm(cache, { recursive: true }))

describe('cached', () => {
  const fill = async (dir: string) => writeFile(join(dir, 'file'), 'whole')

  it('fills once', async () => {
    let filled = 0
    const counting = async (dir: string) => {
      filled += 1
      await fill(dir)
    }
    const first = await cached(cache, 'thing-1', counting)
    expect(await cached(cache, 'thing-1', counting)).toBe(first)
    expect(filled).toBe(1)
    expect(await readFile(join(first, 'file'), 'utf8')).toBe('whole')
  })

  it('leaves nothing where filling fails, and fills at the next call', async () => {
    const failing = async (dir: string) => {
      await writeFile(join(dir, 'file'), 'half')
      throw new RangeError('no network')
    }
    await expect(cached(cache, 'thing-1', failing)).rejects.toThrow('no network')
    expect(await readdir(cache)).toEqual([])
    const dir = await cached(cache, 'thing-1', fill)
    expect(await readFile(join(dir, 'file'), 'utf8')).toBe('whole')
  })

  it('gives several who fill at once one whole directory', async () => {
    const dirs = await Promise.all(Array.from({ length: 8 }, () => cached(cache, 'thing-1', fill)))
    expect(new Set(dirs).size).toBe(1)
    expect(await readdir(cache)).toEqual(['thing-1'])
  })

  it('removes what an interrupted process left, not what a living one is filling', async () => {
    // Linux gives no process an id above 2^22.
    await mkdir(join(cache, 'thing-1.4194305-1.partial'))
    await mkdir(join(cache, `thing-1.${process.pid}-1.partial`))
    await cached(cache, 'thing-1', fill)
    expect((await readdir(cache)).sort()).toEqual(['thing-1', `thing-1.${process.pid}-1.partial`])
  })
})

describe('cacheDir', () => {
  it('follows XDG_CACHE_HOME', () => {
    expect(cacheDir({ XDG_CACHE_HOME: '/var/cache' })).toBe('/var/cache/mongo2kafka')
    expect(cacheDir({})).toMatch(/\.cache\/mongo2kafka$/)
  })
})
