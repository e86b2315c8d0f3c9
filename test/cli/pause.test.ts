import { expect, test } from 'vitest'
import { pauseOrResume } from '../../src/cli/pause.ts'
import { Secret } from '../../src/secret.ts'
import type { ControlResult } from '../../src/status.ts'
import { status } from '../admin/statuses.ts'
import { daemonWith, ran } from './admin-commands.ts'

const never = new AbortController().signal

function run(action: 'pause' | 'resume', argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return ran(io => pauseOrResume(action, argv, io, never, env))
}

async function daemon(result: ControlResult = { changed: true }, token: Secret | undefined = new Secret('swordfish')) {
  const orders: string[] = []
  const order = (action: string) => async (name: string) => {
    orders.push(`${action} ${name}`)
    return result
  }
  const control = () => ({ pause: order('pause'), resume: order('resume') })
  const started = await daemonWith({ statuses: () => [status('a/b c', 'running')], control, token })
  return Object.assign(started, { orders })
}

test('pauses and resumes with the token: exit 0, one line', async () => {
  await using there = await daemon()
  const argv = ['a/b c', '--url', there.url, '--token', 'swordfish']
  expect(await run('pause', argv)).toEqual({ code: 0, stdout: 'a/b c: paused\n', stderr: '' })
  expect(await run('resume', argv)).toEqual({ code: 0, stdout: 'a/b c: running again\n', stderr: '' })
  expect(there.orders).toEqual(['pause a/b c', 'resume a/b c'])
})

test('takes the token from the environment; --json is the answer', async () => {
  await using there = await daemon({ changed: false })
  const { code, stdout } = await run('pause', ['a/b c', '--url', there.url, '--json'], {
    M2K_ADMIN__TOKEN: 'swordfish',
  })
  expect([code, JSON.parse(stdout)]).toEqual([0, { pipeline: 'a/b c', action: 'pause', changed: false }])
  const plain = await run('pause', ['a/b c', '--url', there.url], { M2K_ADMIN__TOKEN: 'swordfish' })
  expect(plain.stdout).toBe('a/b c: was paused already\n')
})

test.each([
  ['the wrong token', ['--token', 'x'], {}, 'this needs the configured token'],
  ['no token', [], {}, 'this needs the configured token'],
  ['another pipeline', ['--token', 'swordfish'], { name: 'b' }, 'there is no pipeline "b"'],
  ['a refusal', ['--token', 'swordfish'], { result: { refused: 'it has failed' } }, 'it has failed'],
] as const)('%s: exit 1 and why', async (_name, argv, more, why) => {
  const { name, result }: { name?: string; result?: ControlResult } = more
  await using there = await daemon(result)
  const { code, stdout, stderr } = await run('pause', [name ?? 'a/b c', '--url', there.url, ...argv])
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain(`mongo2kafka pause: ${why}`)
})

test('a daemon without token: exit 1 and how to set one', async () => {
  await using there = await daemonWith({ statuses: () => [status('a', 'running')] })
  const { code, stderr } = await run('resume', ['a', '--url', there.url])
  expect([code, stderr]).toEqual([1, expect.stringContaining('Set admin.token')])
})

test.each([[[]], [['a', 'b']], [['a', '--tokn', 'x']]])('bad usage %j: exit 64 with the usage', async argv => {
  const { code, stdout, stderr } = await run('pause', argv)
  expect([code, stdout]).toEqual([64, ''])
  expect(stderr).toContain('Usage: mongo2kafka pause PIPELINE')
})

test('--help: exit 0', async () => {
  expect((await run('resume', ['-h'])).stdout).toContain('Usage: mongo2kafka resume PIPELINE')
})
