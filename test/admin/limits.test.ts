import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { type AdminLimits, adminLimits } from '../../src/admin/limits.ts'
import { type Admin, startAdmin } from '../../src/admin/server.ts'
import { silentLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { status } from './statuses.ts'

/** So long that no test sees its end: who is cut off then is cut off by another limit. */
const longMs = 3_600_000
const patient: Partial<AdminLimits> = { headersTimeout: longMs, requestTimeout: longMs, keepAliveTimeout: longMs }

function start(limits: Partial<AdminLimits>): Promise<Admin> {
  const pages = { statuses: () => [status('a', 'running')], metrics: createMetrics({ version: '1' }) }
  const signal = new AbortController().signal
  return startAdmin({ ...pages, port: 0, log: silentLogger, limits: { ...patient, ...limits } }, signal)
}

function open(admin: Admin): Socket {
  const socket = connect(admin.address.port, admin.address.host)
  socket.on('error', () => {}) // A reset is the server's right.
  return socket
}

/** Sends `bytes` and never more: all that the server says until it closes the connection. */
async function leftAlone(admin: Admin, bytes: string): Promise<string> {
  const socket = open(admin)
  const chunks: string[] = []
  socket.setEncoding('latin1').on('data', chunk => chunks.push(String(chunk)))
  socket.write(bytes)
  await once(socket, 'close')
  return chunks.join('')
}

/** The status of an answer over `socket`, which stays open. */
async function ask(socket: Socket): Promise<string> {
  socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n')
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString('latin1').slice(0, 'HTTP/1.1 200'.length)
}

const soon = { connectionsCheckingInterval: 20 }

test.each([
  ['before its first byte', ''],
  ['in the middle of its headers', 'GET /livez HTTP/1.1\r\nHost: a\r\n'],
])('a client that falls silent %s is cut off by the limit of headers', async (_where, bytes) => {
  await using admin = await start({ ...soon, headersTimeout: 50 })
  expect(await leftAlone(admin, bytes)).toMatch(/^HTTP\/1\.1 408 /)
})

test('a request that does not come to its end is cut off by the limit of requests', async () => {
  await using admin = await start({ ...soon, headersTimeout: 0, requestTimeout: 50 }) // 0: no limit of headers.
  expect(await leftAlone(admin, 'GET /livez HTTP/1.1\r\nHost: a\r\n')).toMatch(/^HTTP\/1\.1 408 /)
})

test('a connection that is kept, and over which nothing is asked, is closed', async () => {
  await using admin = await start({ ...soon, keepAliveTimeout: 1 })
  expect(await leftAlone(admin, 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
})

test('more connections than there may be are closed, and those that are there go on', async () => {
  await using admin = await start({ maxConnections: 2 })
  const first = open(admin)
  const second = open(admin)
  expect([await ask(first), await ask(second)]).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200'])
  expect(await leftAlone(admin, 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('')
  expect([await ask(first), await ask(second)]).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200'])
  first.destroy()
  second.destroy()
})

test('the usual limits are there and finite', () => {
  for (const [name, limit] of Object.entries(adminLimits)) expect(limit, name).toBeGreaterThan(0)
  expect(adminLimits.headersTimeout).toBeLessThanOrEqual(adminLimits.requestTimeout)
  expect(adminLimits.maxConnections).toBeLessThanOrEqual(1_000)
})
