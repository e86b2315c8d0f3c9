import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LastWords } from '../../src/observe/last-words.ts'
import { Secret, Secrets } from '../../src/secret.ts'

describe('what a crash shows (G9)', () => {
  test.each([
    ['a message that may quote data', new Error('canary')],
    ['a message that JSON.parse made', thrownBy(() => JSON.parse('{"card":canary}'))],
    ['an argument that Node quotes', thrownBy(() => Buffer.from('canary'.length as never))],
    ['a message of several lines', new Error('x\n    at canary (/a.ts:1:1)\ncanary')],
    ['a cause and properties', Object.assign(new Error('x', { cause: 'canary' }), { document: 'canary' })],
    ['a code that somebody made up', Object.assign(new Error('x'), { code: 'pass canary' })],
    ['something that is no error', 'canary'],
  ])('hides %s', (_what, error) => {
    const words = new LastWords()
    words.know(new Secrets([new Secret('pass canary')]))
    expect(words.of(error).replace('at canary (/a.ts:1:1)', '')).not.toContain('canary')
  })

  test('hides what was learned after it was told of the secrets', () => {
    const words = new LastWords()
    const secrets = new Secrets()
    words.know(secrets)
    secrets.learn('first canary')
    secrets.learn('second canary')
    const text = words.of(new TypeError('login of first canary, then second canary'))
    expect(text).toContain('login of [redacted], then [redacted]')
  })

  test('keeps what a report of the fault needs', () => {
    const words = new LastWords().of(thrownBy(() => (undefined as unknown as { a: string }).a))
    expect(words).toMatch(/^mongo2kafka: INTERNAL: TypeError: Cannot read properties of undefined \(reading 'a'\)\n/)
    expect(words).toContain('last-words.test.ts:')
    const code = new LastWords().of(Object.assign(new Error('secret'), { code: 'ECONNRESET' }))
    expect(code).toMatch(/^mongo2kafka: INTERNAL: Error ECONNRESET: its message is withheld/)
  })
})

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

const silent = createServer()
beforeAll(async () => {
  await once(silent.listen(0, '127.0.0.1'), 'listening')
})
afterAll(() => silent.close())

/** Runs `mongo2kafka status`, which waits for a server that never answers, with `failure` in its way. */
function crash(failure: string) {
  const code = `process.on('newListener', name => { if (name === 'SIGTERM') { ${failure} } })`
  const preload = `data:text/javascript,${encodeURIComponent(code)}`
  const env = { ...process.env, CARD: 'canary' }
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const reports = ['--report-uncaught-exception', '--report-on-fatalerror', '--report-compact']
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...reports, '--import', preload, main, 'status', '--url', url],
    {
      encoding: 'utf8',
      env,
    },
  )
  return { status, output: stdout + stderr }
}

describe('a process that dies', () => {
  test.each([
    ['in main', 'throw new Error(process.env.CARD)'],
    ['of a rejection that nobody handles', 'Promise.reject(new Error(process.env.CARD))'],
    ['in an event', 'process.nextTick(() => { throw new Error(process.env.CARD) })'],
  ])('%s: exit 1, no message, and no report with the environment, whatever Node was asked for', (_how, failure) => {
    const { status, output } = crash(failure)
    expect(status).toBe(1)
    expect(output).toContain('mongo2kafka: INTERNAL: Error: its message is withheld')
    expect(output).not.toMatch(/canary|Node.js report|\.json/)
  })
})

function thrownBy(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}
