import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { demo } from '../../src/cli/demo.ts'

/** Runs the demo; its exit code and what it printed. */
async function run(argv: readonly string[], stop: AbortSignal) {
  const io = { stdout: new PassThrough(), stderr: new PassThrough() }
  const printed = Promise.all([text(io.stdout), text(io.stderr)])
  const code = await demo(argv, io, stop).finally(() => {
    io.stdout.end()
    io.stderr.end()
  })
  const [stdout, stderr] = await printed
  return { code, stdout, stderr }
}

it('ends by itself with counts that agree', { timeout: 240_000 }, async () => {
  const { code, stdout, stderr } = await run(['--seconds', '3'], new AbortController().signal)
  expect(stdout).toContain('Summary')
  expect(stdout).not.toContain('DIFFER')
  for (const pipeline of ['orders', 'customers', 'audit']) {
    expect(stdout).toMatch(new RegExp(`${pipeline} +[1-9]\\d* +[1-9]\\d* {2}agree`))
  }
  expect(stdout).toMatch(/── due \d+ · consumed \d+ · lag /)
  expect(stderr).toMatch(/Status page: http:\/\/127\.0\.0\.1:\d+\//)
  expect(code).toBe(0)
})

it('ends quietly where it is stopped while it starts', async () => {
  const { code, stdout } = await run([], AbortSignal.abort())
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
})

it('explains bad usage', async () => {
  for (const argv of [
    ['--seconds', 'soon'],
    ['--minutes', '1'],
  ]) {
    const { code, stderr } = await run(argv, new AbortController().signal)
    expect(code).toBe(64)
    expect(stderr).toContain('--seconds N')
  }
})
