import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { status as command } from '../../src/cli/status.ts'
import { alone, failedStatus, status } from '../admin/statuses.ts'
import { daemonWith, ran } from './admin-commands.ts'

const never = new AbortController().signal

function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}, terminal = false) {
  return ran(io => command(argv, io, never, env), terminal)
}

test('a table of the pipelines and who works on what: exit 0', async () => {
  const statuses = () => [
    { ...status('orders', 'running'), limitedBy: { stage: 'sink', ratio: 0.93 } as const },
    { ...status('users', 'idle'), lagMs: null },
  ]
  await using daemon = await daemonWith({ statuses, workers: () => alone })
  const { code, stdout, stderr } = await run(['--url', `${daemon.url}/`])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toBe(`PIPELINE  STATE    LAG    POSITION              HEADROOM  IN FLIGHT  RECORDS  LIMITED BY
orders    running  12 ms  2023-11-14T22:13:20Z  –         3          40       the sink, 93 % of the time
users     idle     –      2023-11-14T22:13:20Z  –         3          40       nothing: waits for changes

1 slot, coordination none
WORKER                  SLOTS  BUSY
this worker (this one)  0      source 25 %, encode 13 %, sink 6 %
What would help: A faster target or more partitions: pipeline orders waits for acknowledgements.
`)
})

test('a failed pipeline: its error with the remedy, exit 1; one that retries is 0', async () => {
  await using daemon = await daemonWith({ statuses: () => [failedStatus] })
  const { code, stdout } = await run(['--url', daemon.url])
  expect(code).toBe(1)
  expect(stdout).toContain(`bad: SINK_REJECTED: the topic is gone\n  Remedy: ${failedStatus.error!.remedy}\n`)
  await using other = await daemonWith({ statuses: () => [status('a', 'retrying')] })
  expect((await run(['--url', other.url])).code).toBe(0)
})

test('--json is what the API says', async () => {
  await using daemon = await daemonWith({ statuses: () => [status('orders', 'running')] })
  const { code, stdout } = await run(['--url', daemon.url, '--json'])
  expect([code, JSON.parse(stdout)]).toEqual([0, { pipelines: [status('orders', 'running')], workers: null }])
})

test('states have colours on a terminal, unless NO_COLOR is set', async () => {
  await using daemon = await daemonWith({ statuses: () => [status('orders', 'failed')] })
  const argv = ['--url', daemon.url]
  expect((await run(argv, {}, true)).stdout).toContain('\x1b[31mfailed\x1b[0m')
  expect((await run(argv, { NO_COLOR: '1' }, true)).stdout).not.toContain('\x1b')
  expect((await run(argv)).stdout).not.toContain('\x1b')
})

test('-c FILE finds the address; a wrong file is exit 78', async () => {
  await using daemon = await daemonWith({ statuses: () => [status('orders', 'running')] })
  const directory = await mkdtemp(join(tmpdir(), 'm2k-status-'))
  try {
    const file = join(directory, 'config.yaml')
    const rest =
      'mongodb: {uri: "mongodb://a/"}\nsink: {brokers: [a:1]}\npipelines: [{name: a, source: {collections: [a.b]}}]'
    await writeFile(file, `name: a\nadmin: {host: 0.0.0.0, port: ${daemon.address.port}}\n${rest}\n`)
    expect((await run(['-c', file])).stdout).toContain('orders')
    await writeFile(file, 'name: a b\n')
    const { code, stderr } = await run(['-c', file])
    expect([code, stderr]).toEqual([78, expect.stringContaining(`${file}:1:7 name: `)])
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('nobody answers: exit 1, and what to look at', async () => {
  const daemon = await daemonWith({})
  await daemon[Symbol.asyncDispose]()
  const { code, stdout, stderr } = await run(['--url', daemon.url])
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain(`nothing answers at ${daemon.url} (ECONNREFUSED): is the daemon running`)
})

test('another server is not taken for a daemon: exit 1', async () => {
  const server = createServer((_, response) => response.end('<html>')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const { code, stderr } = await run(['--url', `http://127.0.0.1:${port}`])
  server.close()
  expect([code, stderr]).toEqual([1, expect.stringContaining('is no admin server of mongo2kafka: it answered 200')])
})

test.each([[['--jsn']], [['x']], [['--url', 'localhost:8080']], [['--url', 'http://a/b']]])(
  'bad usage %j: exit 64 with the usage',
  async argv => {
    const { code, stdout, stderr } = await run(argv)
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toContain('Usage: mongo2kafka status')
  },
)

test('--help: exit 0, the usage on stdout', async () => {
  expect(await run(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: mongo2kafka status') })
})
