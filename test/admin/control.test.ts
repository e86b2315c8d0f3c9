import { once } from 'node:events'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Control } from '../../src/admin/control.ts'
import { type Admin, type AdminOptions, startAdmin } from '../../src/admin/server.ts'
import type { LogFields, Logger } from '../../src/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { Secret } from '../../src/secret.ts'
import type { ControlResult } from '../../src/status.ts'
import { status } from './statuses.ts'

const token = new Secret('swordfish')
const bearer = { authorization: 'Bearer swordfish' }
const opened: Admin[] = []
afterEach(async () => {
  for (const admin of opened.splice(0)) await admin[Symbol.asyncDispose]()
})

interface Line {
  readonly level: string
  readonly fields: LogFields
}

/** Pipelines `orders` and `a/b`, what was ordered, and what was logged. */
async function desk(more: Partial<AdminOptions> = {}, result: () => ControlResult = () => ({ changed: true })) {
  const lines: Line[] = []
  const orders: string[] = []
  const order = (action: string) => async (name: string) => {
    orders.push(`${action} ${name}`)
    return result()
  }
  const control: Control = { pause: order('pause'), resume: order('resume') }
  const log = recorder(lines)
  const statuses = () => [status('orders', 'running'), status('a/b', 'running')]
  const metrics = createMetrics({ version: '1' })
  const options = { port: 0, statuses, metrics, log, token, control: () => control, ...more }
  const admin = await startAdmin(options, new AbortController().signal)
  opened.push(admin)
  return { admin, lines, orders }
}

function recorder(lines: Line[]): Logger {
  const at = (level: string) => (fields: LogFields) => void lines.push({ level, fields })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => recorder(lines) }
}

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: { readonly error?: string }
}

async function post(admin: Admin, path: string, headers: Readonly<Record<string, string>> = {}, method = 'POST') {
  const outgoing = request({ ...admin.address, path, method, headers, agent: false }).end()
  const [incoming] = await once(outgoing, 'response')
  const chunks: string[] = []
  for await (const chunk of incoming.setEncoding('utf8')) chunks.push(chunk)
  const reply: Reply = { status: incoming.statusCode, headers: incoming.headers, body: JSON.parse(chunks.join('')) }
  return reply
}

const path = '/api/v1/pipelines/orders/pause'

describe('an order with the token', () => {
  test.each([
    ['/api/v1/pipelines/orders/pause', 'pause', 'orders'],
    ['/api/v1/pipelines/orders/resume?x=1', 'resume', 'orders'],
    ['/api/v1/pipelines/a%2Fb/pause', 'pause', 'a/b'],
  ])('%s is carried out, and one line of the log says who, what and how it went', async (url, action, pipeline) => {
    const { admin, lines, orders } = await desk()
    const reply = await post(admin, url, bearer)
    expect([reply.status, reply.body]).toEqual([200, { pipeline, action, changed: true }])
    expect(orders).toEqual([`${action} ${pipeline}`])
    expect(lines).toEqual([
      { level: 'info', fields: { audit: action, pipeline, remoteAddress: '127.0.0.1', result: 'done' } },
    ])
  })

  test('is idempotent: what is so already is 200 too', async () => {
    const { admin, lines } = await desk({}, () => ({ changed: false }))
    const reply = await post(admin, path, bearer)
    expect([reply.status, reply.body]).toEqual([200, { pipeline: 'orders', action: 'pause', changed: false }])
    expect(lines[0]?.fields.result).toBe('it was so already')
  })

  test('is 409 with the reason where it makes no sense', async () => {
    const { admin, lines } = await desk({}, () => ({ refused: 'it has failed' }))
    const reply = await post(admin, path, bearer)
    expect([reply.status, reply.body]).toEqual([409, { error: 'it has failed' }])
    expect(lines[0]?.fields.result).toBe('refused: it has failed')
  })

  test('is 404 for a pipeline that is not there, and 503 while the daemon starts', async () => {
    const { admin, orders } = await desk()
    expect((await post(admin, '/api/v1/pipelines/zzz/pause', bearer)).status).toBe(404)
    expect((await post(admin, '/api/v1/pipelines/orders/explode', bearer)).status).toBe(404)
    expect(orders).toEqual([])
    const starting = await desk({ control: () => undefined })
    expect((await post(starting.admin, path, bearer)).status).toBe(503)
  })

  test('is 500 without details where it fails', async () => {
    const { admin, lines } = await desk({}, () => {
      throw new Error('mongodb://u:hunter2@db')
    })
    const reply = await post(admin, path, bearer)
    expect([reply.status, reply.body]).toEqual([500, { error: 'this failed here; the log says why' }])
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info'])
    expect(lines[1]?.fields.result).toBe('failed')
  })

  test('must be a POST without a body', async () => {
    const { admin, orders } = await desk()
    const get = await post(admin, path, bearer, 'GET')
    expect([get.status, get.headers.allow]).toEqual([405, 'POST'])
    const socket = connect(admin.address.port, admin.address.host)
    const chunks: string[] = []
    socket.setEncoding('latin1').on('data', chunk => chunks.push(String(chunk)))
    socket.on('error', () => {}) // A reset after the answer is the server's right.
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer swordfish\r\nContent-Length: 1000000\r\n\r\nx`,
    )
    await once(socket, 'close')
    expect(chunks.join('')).toMatch(/^HTTP\/1.1 413 /)
    expect(orders).toEqual([])
  })
})

describe('an order without the token', () => {
  test.each([
    ['nothing', {}],
    ['another token', { authorization: 'Bearer swordfisH' }],
    ['a longer one', { authorization: 'Bearer swordfish1' }],
    ['an empty one', { authorization: 'Bearer ' }],
    ['another scheme', { authorization: 'Basic swordfish' }],
    ['the bare token', { authorization: 'swordfish' }],
  ])('%s: 401, whether or not the pipeline is there', async (_name, headers) => {
    const { admin, orders, lines } = await desk()
    for (const url of [path, '/api/v1/pipelines/zzz/pause']) {
      const reply = await post(admin, url, headers)
      expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer realm="mongo2kafka"'])
    }
    expect(orders).toEqual([])
    expect(lines[0]).toEqual({
      level: 'warn',
      fields: { audit: 'pause', pipeline: 'orders', remoteAddress: '127.0.0.1', result: 'without the token' },
    })
  })

  test('is 403 with the remedy where no token is configured, even with an empty one', async () => {
    const { admin, orders } = await desk({ token: undefined })
    for (const headers of [{}, { authorization: 'Bearer ' }, { authorization: 'Bearer undefined' }]) {
      const reply = await post(admin, path, headers)
      expect(reply.status).toBe(403)
      expect(reply.body.error).toContain('Set admin.token')
    }
    expect(orders).toEqual([])
  })

  test('writes a bounded number of lines (G7), and says how many it left out', async () => {
    let nowMs = 1_000_000
    const clock = { nowMs: () => nowMs, sleep: async () => {}, random: () => 0 }
    const { admin, lines } = await desk({ clock })
    for (let i = 0; i < 30; i += 1) await post(admin, path)
    expect(lines).toHaveLength(20)
    nowMs += 10_000
    await post(admin, path)
    await post(admin, path)
    expect(lines).toHaveLength(21)
    expect(lines.at(-1)?.fields).toMatchObject({ unlogged: 10 })
    nowMs -= 900_000 // The clock is set back.
    await post(admin, path)
    nowMs += 10_000
    await post(admin, path)
    expect(lines).toHaveLength(22)
  })
})
