import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { AdminUnreachable, askAdmin } from '../../src/cli/admin-client.ts'
import { systemClock } from '../../src/clock.ts'
import { Secret } from '../../src/secret.ts'

const never = new AbortController().signal
const get = { method: 'GET', path: '/api/v1/pipelines' } as const
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

test('sends the token, and gives status and JSON back', async () => {
  const url = await serve((request, response) => {
    response.statusCode = 409
    response.end(JSON.stringify({ path: request.url, method: request.method, got: request.headers.authorization }))
  })
  const reply = await askAdmin({ url, token: new Secret('t') }, { method: 'POST', path: '/x' }, systemClock, never)
  expect(reply).toEqual({ status: 409, body: { path: '/x', method: 'POST', got: 'Bearer t' } })
})

test('takes the token nowhere else', async () => {
  const asked: string[] = []
  const other = await serve((request, response) => {
    asked.push(String(request.headers.authorization))
    response.end('{}')
  })
  const url = await serve((_, response) => response.writeHead(302, { location: other }).end())
  await expect(askAdmin({ url, token: new Secret('t') }, get, systemClock, never)).rejects.toThrow(AdminUnreachable)
  expect(asked).toEqual([])
})

test('gives a silent server up after its limit, and at once when it is stopped', async () => {
  const url = await serve(() => {})
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const clock = { ...systemClock, sleep: () => late }
  const waiting = askAdmin({ url, token: undefined }, get, clock, never)
  resolve()
  await expect(waiting).rejects.toThrow(`${url} has not answered for 10 s`)
  const stop = new AbortController()
  const stopped = askAdmin({ url, token: undefined }, get, systemClock, stop.signal)
  stop.abort(new Error('stopped'))
  await expect(stopped).rejects.toThrow('stopped')
})

test('reads no more than an admin server would say', async () => {
  const url = await serve((_, response) => {
    const chunk = Buffer.alloc(1 << 20, 'x')
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    }
    response.on('drain', more)
    more()
  })
  await expect(askAdmin({ url, token: undefined }, get, systemClock, never)).rejects.toThrow('too long')
})

test('what is no JSON is undefined', async () => {
  const url = await serve((_, response) => response.end('<html>'))
  expect(await askAdmin({ url, token: undefined }, get, systemClock, never)).toEqual({ status: 200, body: undefined })
})
