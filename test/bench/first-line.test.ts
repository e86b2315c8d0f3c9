import { spawnSync } from 'node:child_process'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { firstLineOf } from '../../bench/first-line.ts'

test('starts the command as its first line does', async () => {
  const first = '#!/usr/bin/env -S COLOUR=red SIZE=4 node --stack-size=900 --no-warnings'
  const file = join(tmpdir(), `first-line-${process.pid}.cjs`)
  const says = 'process.stdout.write(JSON.stringify([process.env.COLOUR, process.env.SIZE, process.execArgv]))'
  onTestFinished(() => rm(file, { force: true }))
  await writeFile(file, `${first}\n${says}\n`)
  await chmod(file, 0o700)
  const { env, options } = firstLineOf(file)
  expect({ env, options }).toEqual({
    env: { COLOUR: 'red', SIZE: '4' },
    options: ['--stack-size=900', '--no-warnings'],
  })
  const started = spawnSync(file, { encoding: 'utf8' }).stdout
  expect(started).toBe(JSON.stringify(['red', '4', options]))
})

test("of the daemon's it finds what the measurements speak of", () => {
  const { env, options } = firstLineOf(new URL('../../src/main.ts', import.meta.url).pathname)
  expect(env).toEqual({ MALLOC_ARENA_MAX: '1' })
  expect(options).toContain('--max-semi-space-size=4')
})
