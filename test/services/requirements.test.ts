import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { javaMajor } from '../../src/services/requirements.ts'

it('reads the version of every Java', () => {
  expect(javaMajor('openjdk version "17.0.15" 2025-04-15')).toBe(17)
  expect(javaMajor('openjdk version "21" 2023-09-19')).toBe(21)
  expect(javaMajor('java version "1.8.0_392"')).toBe(1)
  expect(javaMajor('')).toBe(0)
})

it('names all that a bare machine lacks at once, and downloads nothing', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'mongo2kafka-bare-'))
  const module = new URL('../../src/services/open-services.ts', import.meta.url)
  const program = `
    import { openServices } from '${module}'
    await openServices({ env: process.env, signal: AbortSignal.timeout(60000) })
      .catch(error => console.log(JSON.stringify({ code: error.code, message: error.message })))`
  const env = { PATH: '/nowhere', XDG_CACHE_HOME: cache }
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { env, encoding: 'utf8' })
  const failure = JSON.parse(stdout) as { code: string; message: string }
  expect(failure.code).toBe('SERVICE_MISSING')
  for (const word of ['Python 3 with pip', 'Java 17', 'Maven']) expect(failure.message).toContain(word)
  expect(await readdir(cache)).toEqual([])
  await rm(cache, { recursive: true })
})

it('uses what the environment names and starts nothing', async () => {
  const { openServices } = await import('../../src/services/open-services.ts')
  const env = { M2K_TEST_MONGODB_URI: 'mongodb://a:1/', M2K_TEST_KAFKA_BROKERS: 'b:2, c:3' }
  await using services = await openServices({ env, signal: AbortSignal.timeout(10_000) })
  expect(services.mongodbUri).toBe('mongodb://a:1/')
  expect(services.kafkaBrokers).toEqual(['b:2', 'c:3'])
})
