import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { validate } from '../../src/cli/validate.ts'

async function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const written = { stdout: '', stderr: '' }
  const writer = (name: 'stdout' | 'stderr') => ({ write: (text: string) => (written[name] += text) })
  const code = await validate(argv, { stdout: writer('stdout'), stderr: writer('stderr'), env })
  return { code, ...written }
}

const env = { MONGODB_URI: 'mongodb://user:hunter2@localhost/', KAFKA_BROKERS: 'localhost:9092' }

test('a valid file: exit 0, one line on stdout', async () => {
  expect(await run(['-c', 'config/demo.yaml'], env)).toEqual({
    code: 0,
    stdout: 'config/demo.yaml: valid, pipelines: orders, customers, audit\n',
    stderr: '',
  })
})

test('--json prints the resolved configuration without its secrets, --set on top', async () => {
  const variables = { ...env, M2K_ADMIN__TOKEN: 'hunter2' }
  const result = await run(['--config', 'config/demo.yaml', '--json', '--set', 'log.level=warn'], variables)
  expect(result).toMatchObject({ code: 0, stderr: '' })
  expect(result.stdout).not.toContain('hunter2')
  const { valid, config } = JSON.parse(result.stdout)
  expect(valid).toBe(true)
  expect(config).toMatchObject({
    mongodb: { uri: '[redacted]' },
    admin: { token: '[redacted]', port: 0 },
    log: { level: 'warn' },
  })
})

test('a wrong file: exit 78, every problem on stderr, with --json on stdout too', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'm2k-validate-'))
  try {
    const file = join(directory, 'wrong.yaml')
    await writeFile(file, 'name: a b\npipeline: []\n')
    const result = await run(['-c', file])
    expect(result).toMatchObject({ code: 78, stdout: '' })
    expect(result.stderr).toContain(`${file}:1:7 name: must be letters`)
    expect(result.stderr).toContain(`${file}:2:1 pipeline: unknown key`)
    expect(result.stderr).toContain('(did you mean pipelines?)')
    const { valid, problems } = JSON.parse((await run(['-c', file, '--json'])).stdout)
    expect(valid).toBe(false)
    expect(problems[0]).toMatchObject({ origin: file, line: 1, column: 1 })
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a file that is not there: exit 78', async () => {
  const { code, stderr } = await run(['-c', '/nowhere/config.yaml'])
  expect([code, stderr]).toEqual([78, '/nowhere/config.yaml: cannot read this file: ENOENT\n'])
})

test.each([[[]], [['-c']], [['-c', 'x', '--jsn']], [['x.yaml']]])(
  'bad usage %j: exit 64 with the usage',
  async argv => {
    const { code, stdout, stderr } = await run(argv)
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toContain('usage: mongo2kafka validate -c FILE')
  },
)

test('--help: exit 0, the usage on stdout', async () => {
  const { code, stdout } = await run(['--help'])
  expect(code).toBe(0)
  expect(stdout).toContain('usage: mongo2kafka validate -c FILE')
})
