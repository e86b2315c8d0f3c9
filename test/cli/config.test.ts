import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { config } from '../../src/cli/config.ts'
import { ran } from './admin-commands.ts'

const env = { MONGODB_URI: 'mongodb://user:hunter2@localhost/', KAFKA_BROKERS: 'localhost:9092' }
const run = (...argv: string[]) => ran(io => config(argv, io, env))
const demo = ['-c', 'config/demo.yaml']

test('print: the configuration in effect as YAML, without its secrets', async () => {
  const { code, stdout, stderr } = await run('print', ...demo, '--set', 'log.level=warn')
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^ {2}uri: "\[redacted\]" +# config\/demo\.yaml:4, \$\{MONGODB_URI\}$/m)
  expect(stdout).toMatch(/^ {2}level: warn +# --set log\.level$/m)
  expect(stdout).not.toContain('hunter2')
})

test('print --json: the same for scripts', async () => {
  const { code, stdout } = await run('print', '--json', ...demo)
  expect(code).toBe(0)
  expect(stdout).not.toContain('hunter2')
  expect(JSON.parse(stdout)).toMatchObject({
    file: 'config/demo.yaml',
    config: { name: 'demo', mongodb: { uri: '[redacted]' }, admin: { host: '127.0.0.1' } },
    origins: {
      name: { kind: 'file', file: 'config/demo.yaml', line: 2, column: 7, placeholders: [] },
      'admin.host': { kind: 'default' },
      'pipelines[2].source.filter.operationType.$in': { kind: 'file' },
    },
  })
})

test('print of a wrong or absent file: exit 78, what is wrong on stderr', async () => {
  expect(await run('print', ...demo, '--set', 'log.level=loud')).toEqual({
    code: 78,
    stdout: '',
    stderr: expect.stringContaining('--set log.level log.level: not supported'),
  })
  expect((await run('print', '-c', '/nowhere.yaml')).code).toBe(78)
})

test.each([[['schema']], [['schema', '--json']]])('%j: a JSON Schema', async argv => {
  const { code, stdout, stderr } = await run(...argv)
  expect([code, stderr]).toEqual([0, ''])
  const schema = JSON.parse(stdout) as Record<string, unknown>
  expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#')
  expect(() => new Ajv({ allowUnionTypes: true }).compile(schema)).not.toThrow()
})

test.each([[[]], [['show']], [['print']], [['print', '-c']], [['schema', '-c', 'x']], [['print', ...demo, 'x']]])(
  'bad usage %j: exit 64 with the usage on stderr',
  async argv => {
    const { code, stdout, stderr } = await run(...argv)
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toContain('Usage: mongo2kafka config print -c FILE')
  },
)

test.each([[['--help']], [['print', '--help']], [['schema', '-h']]])('%j: the usage on stdout', async argv => {
  expect(await run(...argv)).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: mongo2kafka config') })
})
