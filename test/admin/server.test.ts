import { once } from 'node:events'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type Admin, type AdminOptions, startAdmin } from '../../src/admin/server.ts'
import { Configuration } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { Secret } from '../../src/secret.ts'
import type { PipelineStatus } from '../../src/status.ts'
import { alone, failedStatus, status } from './statuses.ts'

const opened: Admin[] = []
afterEach(async () => {
  for (const admin of opened.splice(0)) await admin[Symbol.asyncDispose]()
})

async function start(
  statuses: readonly PipelineStatus[],
  more: Partial<AdminOptions> = {},
  signal = never(),
): Promise<Admin> {
  const options = { port: 0, statuses: () => statuses, metrics: createMetrics({ version: '1' }), log: silentLogger }
  const admin = await startAdmin({ ...options, ...more }, signal)
  opened.push(admin)
  return admin
}

function never(): AbortSignal {
  return new AbortController().signal
}

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** node:http rather than fetch: the path goes out as it is written. */
async function call(admin: Admin, path: string, method = 'GET'): Promise<Reply> {
  const outgoing = request({ ...admin.address, path, method, agent: false }).end()
  const [incoming] = await once(outgoing, 'response')
  const chunks: string[] = []
  for await (const chunk of incoming.setEncoding('utf8')) chunks.push(chunk)
  return { status: incoming.statusCode, headers: incoming.headers, text: chunks.join('') }
}

/** What the server says to bytes that no HTTP client would send, until it closes the connection. */
async function raw(admin: Admin, bytes: string): Promise<string> {
  const socket = connect(admin.address.port, admin.address.host)
  const chunks: string[] = []
  socket.setEncoding('latin1').on('data', chunk => chunks.push(String(chunk)))
  socket.on('error', () => {}) // A reset after the answer is the server's right.
  socket.write(bytes)
  await once(socket, 'close')
  return chunks.join('')
}

describe('health', () => {
  test('/livez is 200 whatever the pipelines do', async () => {
    const admin = await start([failedStatus])
    expect(await call(admin, '/livez')).toMatchObject({ status: 200, text: 'ok\n' })
  })

  test('/readyz is 200 while every pipeline is running, idle, paused or on standby', async () => {
    const admin = await start([
      status('a', 'running'),
      status('b', 'idle'),
      status('c', 'paused'),
      status('d', 'standby'),
    ])
    const reply = await call(admin, '/readyz')
    expect([reply.status, JSON.parse(reply.text)]).toEqual([200, { ready: true, reasons: [] }])
  })

  test('/readyz is 503 with the reasons where one is not', async () => {
    const admin = await start([status('a', 'running'), status('b', 'starting'), failedStatus])
    const reply = await call(admin, '/readyz')
    expect([reply.status, JSON.parse(reply.text)]).toEqual([
      503,
      {
        ready: false,
        reasons: [
          { pipeline: 'b', state: 'starting', code: null, remedy: null },
          { pipeline: 'bad', state: 'failed', code: 'SINK_REJECTED', remedy: failedStatus.error?.remedy },
        ],
      },
    ])
  })

  test.each(['starting', 'retrying', 'failed', 'stopped'] as const)(
    'a pipeline that is %s is not ready',
    async state => {
      expect((await call(await start([status('a', state)]), '/readyz')).status).toBe(503)
    },
  )

  test('a standby is ready', async () => {
    const workers = () => ({ ...alone, state: 'standby' as const, owned: [] })
    expect((await call(await start([], { workers }), '/readyz')).status).toBe(200)
  })

  test('a worker without any pipeline yet is not ready (G8)', async () => {
    expect((await call(await start([]), '/readyz')).status).toBe(503)
  })
})

describe('the API', () => {
  test('shows all pipelines, and one by its name', async () => {
    const odd = status('b/c d', 'idle')
    const admin = await start([status('a', 'running'), odd])
    expect(JSON.parse((await call(admin, '/api/v1/pipelines')).text)).toEqual({
      pipelines: [status('a', 'running'), odd],
    })
    expect(JSON.parse((await call(admin, '/api/v1/pipelines/a?pretty=1')).text)).toEqual(status('a', 'running'))
    expect(JSON.parse((await call(admin, '/api/v1/pipelines/b%2Fc%20d')).text)).toEqual(odd)
  })

  test.each([
    '/nothing',
    '/api/v1/pipelines/zzz',
    '/api/v1/pipelines/',
    '/api/v1/pipelines/a/b',
    '/api/v1/pipelines/%zz',
    '//',
    '/__proto__',
    '/constructor',
  ])('%s is 404 with a reason', async path => {
    const reply = await call(await start([status('a', 'running')]), path)
    expect([reply.status, typeof JSON.parse(reply.text).error]).toEqual([404, 'string'])
  })

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is 405 and says what is allowed', async method => {
    const reply = await call(await start([status('a', 'running')]), '/api/v1/pipelines/a', method)
    expect([reply.status, reply.headers.allow]).toEqual([405, 'GET, HEAD'])
  })

  test('/api/v1/workers says who works on what, and what would help', async () => {
    const admin = await start([status('a', 'running')], { workers: () => alone })
    const reply = await call(admin, '/api/v1/workers')
    expect([reply.status, JSON.parse(reply.text)]).toEqual([
      200,
      { ...alone, name: 'this worker', workers: expect.any(Array), advice: expect.stringMatching(/^Nothing/) },
    ])
    for (const workers of [undefined, () => undefined]) {
      expect((await call(await start([], { ...(workers && { workers }) }), '/api/v1/workers')).status).toBe(503)
    }
  })

  test('HEAD has the headers of GET and no body', async () => {
    const admin = await start([status('a', 'running')])
    const [get, head] = [await call(admin, '/readyz'), await call(admin, '/readyz', 'HEAD')]
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', String(get.text.length)])
  })

  test('/metrics is the text of Prometheus', async () => {
    const reply = await call(await start([]), '/metrics')
    expect(reply.headers['content-type']).toContain('text/plain')
    expect(reply.text).toContain('mongo2kafka_build_info{version="1"')
  })

  test('metrics that fail are a 500 that tells nothing, and the server goes on', async () => {
    const metrics = { contentType: 'text/plain', text: () => Promise.reject(new Error('canary')) }
    const admin = await start([status('a', 'running')], { metrics })
    const reply = await call(admin, '/metrics')
    expect([reply.status, reply.text.includes('canary')]).toEqual([500, false])
    expect((await call(admin, '/livez')).status).toBe(200)
  })
})

describe('the status page', () => {
  test('shows every pipeline, escapes what it shows and forbids scripts', async () => {
    const evil = { code: 'SINK_REJECTED', message: '<script>alert(1)</script>', remedy: 'a & "b"' }
    const admin = await start([{ ...status('<img src=x>', 'failed'), error: evil }, status('orders', 'running')])
    const reply = await call(admin, '/')
    expect(reply.status).toBe(200)
    expect(reply.text).toContain('&lt;img src=x&gt;')
    expect(reply.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(reply.text).toContain('a &amp; &quot;b&quot;')
    expect(reply.text).toContain('<td>orders</td>')
    expect(reply.text).not.toMatch(/<script|<img|https?:/)
    expect(reply.headers['content-security-policy']).toContain("default-src 'none'")
  })

  test('says in words what limits a pipeline', async () => {
    const limited = { ...status('orders', 'running'), limitedBy: { stage: 'sink', ratio: 0.934 } } as const
    const throttled = { ...limited, throttledRatio: 0.4 }
    const admin = await start([limited, throttled, status('users', 'idle'), status('audit', 'failed')])
    const cells = [...(await call(admin, '/')).text.matchAll(/<td>([^<]*)<\/td>\n<td class="remedy">/g)]
    expect(cells.map(([, text]) => text)).toEqual([
      'the sink, 93 % of the time',
      'the sink, 93 % of the time (throttled by the broker 40 %)',
      'nothing: waits for changes',
      '–',
    ])
  })

  test('shows the workers, escaped', async () => {
    const workers = () => ({ ...alone, slots: 3, name: 'me', workers: [{ name: '<b>', owned: [1, 2] }] })
    const { text } = await call(await start([status('orders', 'idle')], { workers }), '/')
    expect(text).toContain('<td>me (this one)</td><td>0</td><td>source 25 %, encode 13 %, sink 6 %</td>')
    expect(text).toContain('<td>&lt;b&gt;</td><td>1-2</td><td>–</td>')
    expect(text).toContain('<p>Nothing: there are fewer changes than it could take.</p>')
    expect((await call(await start([]), '/')).text).not.toContain('Workers')
  })

  test('says which configuration is in force, and why the last change of it is not', async () => {
    const lastReload = { atMs: 1_000, applied: false, problems: ['a.yaml:3:1 <name>: swordfish is no name'] }
    const config = { loadedAtMs: 0, lastReload }
    const admin = await start([], { config: () => config, secrets: [new Secret('swordfish')] })
    const { text } = await call(admin, '/')
    expect(text).toContain('Configuration of 1970-01-01T00:00:00Z. The change of 1970-01-01T00:00:01Z is not in force')
    expect(text).toContain('<li>a.yaml:3:1 &lt;name&gt;: [redacted] is no name</li>')
    const reply = await call(admin, '/api/v1/config')
    expect(JSON.parse(reply.text).lastReload.problems).toEqual(['a.yaml:3:1 <name>: [redacted] is no name'])
    expect((await call(await start([]), '/api/v1/config')).status).toBe(503)
    const applied = { ...config, lastReload: { ...lastReload, applied: true, problems: [] } }
    expect((await call(await start([], { config: () => applied }), '/')).text).not.toContain('not in force')
  })

  test('shows no secret (G9)', async () => {
    const message = 'mongodb://cdc:canary@db0 refused; tried swordfish'
    const failed = { ...failedStatus, error: { ...failedStatus.error!, message } }
    const admin = await start([failed], { secrets: [new Secret('swordfish')] })
    for (const path of ['/', '/api/v1/pipelines', '/api/v1/pipelines/bad', '/readyz']) {
      expect((await call(admin, path)).text).not.toMatch(/canary|swordfish/)
    }
  })
})

describe('limits and ends', () => {
  test('a request with a body is refused and its connection closed', async () => {
    const reply = await raw(await start([]), 'GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nxxx')
    expect(reply).toMatch(/^HTTP\/1\.1 413 /)
    expect(reply.toLowerCase()).toContain('connection: close')
  })

  test('headers beyond 16 KiB are refused', async () => {
    const admin = await start([])
    expect(await raw(admin, `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    )
  })

  test('what is not HTTP is refused', async () => {
    expect(await raw(await start([]), 'hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  })

  test('listens on loopback unless told otherwise', async () => {
    const { address } = await start([])
    expect(address.host).toBe('127.0.0.1')
    expect(address.port).toBeGreaterThan(0)
  })

  test.each([
    ['without a token', undefined, 'orders are refused'],
    ['with one', new Secret('swordfish'), 'orders travel with their token as plain text'],
  ])('warns where others can reach it, %s', async (_how, token, said) => {
    const warnings: string[] = []
    const log = { ...silentLogger, warn: (_fields: unknown, message: string) => void warnings.push(message) }
    await start([], { log, token })
    await start([], { log, token, host: 'localhost' })
    expect(warnings).toEqual([])
    await start([], { log, token, host: '0.0.0.0' })
    expect(warnings).toEqual([expect.stringContaining(said)])
  })

  test('a client that does not read its answer is cut off', async () => {
    const metrics = { contentType: 'text/plain', text: async () => 'x'.repeat(64 << 20) }
    const cut = Promise.withResolvers<string>()
    const log = { ...silentLogger, debug: (_fields: unknown, message: string) => cut.resolve(message) }
    const admin = await start([], { metrics, log, unreadLimitMs: 200 })
    const socket = connect(admin.address.port, admin.address.host)
    socket.on('error', () => {}) // A reset is what we want.
    socket.pause()
    socket.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await cut.promise).toContain('has left its answer unread')
    expect((await call(admin, '/livez')).status).toBe(200)
    await once(socket.resume(), 'close') // What the kernel had is read; the rest never comes.
    expect(socket.bytesRead).toBeLessThan(64 << 20)
  })

  test('a port in use is a clear error', async () => {
    const { port } = (await start([])).address
    const failure = await start([], { port }).catch(error => error)
    expect(failure).toBeInstanceOf(Configuration)
    expect(failure).toMatchObject({ code: 'ADMIN_UNAVAILABLE', message: `admin: cannot listen on 127.0.0.1:${port}` })
    expect(failure.cause).toMatchObject({ code: 'EADDRINUSE' })
  })

  test('aborting the signal ends it, open connections included; disposing afterwards is fine', async () => {
    const stop = new AbortController()
    const admin = await start([], {}, stop.signal)
    const idle = connect(admin.address.port, admin.address.host)
    await once(idle, 'connect')
    await call(admin, '/livez')
    const closed = once(idle, 'close')
    stop.abort()
    await closed
    await expect(call(admin, '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await admin[Symbol.asyncDispose]()
  })

  test('does not start after the signal aborted', async () => {
    await expect(start([], {}, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
  })
})
