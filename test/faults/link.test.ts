import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Link, type LinkOptions } from './link.ts'
import { until } from './until.ts'

/** A server that says everything back, and a link before it. */
async function echo() {
  return await linked(socket => socket.pipe(socket))
}

async function linked(serve: (socket: Socket) => void, options?: LinkOptions) {
  const server = createServer(socket => {
    socket.on('error', () => {})
    serve(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const link = await Link.open(address.port, options)
  const dispose = async () => {
    await link[Symbol.asyncDispose]()
    server.close()
  }
  return { link, [Symbol.asyncDispose]: dispose }
}

async function client(link: Link): Promise<Socket> {
  const socket = connect(link.port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function said(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [chunk] = await once(socket, 'data')
  return String(chunk)
}

describe('a link', () => {
  test('passes everything on while it is open', async () => {
    await using server = await echo()
    expect(await said(await client(server.link), 'a')).toBe('a')
    expect(server.link.hurt).toBe(0)
  })

  test('holds what is said until it is healed, and loses nothing', async () => {
    await using server = await echo()
    const socket = await client(server.link)
    server.link.state = { kind: 'held' }
    const answer = said(socket, 'a')
    expect(await Promise.race([answer, sleep(100, 'nothing')])).toBe('nothing')
    server.link.state = { kind: 'open' }
    expect(await answer).toBe('a')
    expect(server.link.hurt).toBeGreaterThan(0)
  })

  test('half-open: connections of that time stay silent for good, later ones work', async () => {
    await using server = await echo()
    const socket = await client(server.link)
    server.link.state = { kind: 'half-open' }
    const answer = said(socket, 'a')
    server.link.state = { kind: 'open' }
    expect(await said(await client(server.link), 'b')).toBe('b')
    expect(await Promise.race([answer, sleep(100, 'nothing')])).toBe('nothing')
    expect(socket.destroyed).toBe(false)
  })

  test('cut: ends connections and refuses new ones', async () => {
    await using server = await echo()
    const socket = await client(server.link)
    server.link.state = { kind: 'cut' }
    await once(socket, 'close')
    await once(await client(server.link), 'close')
    expect(server.link.hurt).toBeGreaterThan(1)
  })

  test('lets a watcher hold what it likes', async () => {
    await using server = await echo()
    server.link.watcher = frames => (frames.begun.length > 0 ? 'hold' : 'pass')
    const socket = await client(server.link)
    expect(await said(socket, 'short')).toBe('short')
    expect(await Promise.race([said(socket, 'twelve bytes'), sleep(100, 'nothing')])).toBe('nothing')
  })

  /** A request of Kafka's with this correlation id, and the answer to it. */
  const frameOf = (id: number) => Buffer.from([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, id])
  const answerTo = (id: number) => Buffer.from([0, 0, 0, 8, 0, 0, 0, id, 0, 0, 0, 0])

  /** A server that answers when it is told to, and a client that is gone after what it asked has reached the server. */
  async function askedAndGone(request: Buffer, options: LinkOptions) {
    const [reached, ended] = [Promise.withResolvers<Socket>(), Promise.withResolvers<void>()]
    let asked = 0
    const server = await linked(socket => {
      socket.on('data', chunk => {
        asked += chunk.length
        if (asked === request.length) reached.resolve(socket)
      })
      socket.once('close', ended.resolve)
    }, options)
    const socket = await client(server.link)
    socket.write(request)
    const peer = await reached.promise
    socket.resetAndDestroy()
    return { ...server, peer, ended: ended.promise }
  }

  test('lingers until the server has answered what a client asked that is gone', async () => {
    await using asked = await askedAndGone(Buffer.concat([frameOf(1), frameOf(2)]), { lingers: true })
    const { link, peer, ended } = asked
    await until(() => link.lingering === 1, 'a lingering connection', 10_000)
    peer.write(answerTo(1))
    expect(await Promise.race([ended, sleep(100, 'still open')])).toBe('still open')
    peer.write(answerTo(2))
    await ended
    await until(() => link.lingering === 0, 'the end', 10_000)
  })

  test.each<[string, Buffer, LinkOptions]>([
    ['where it is not told to linger', frameOf(1), {}],
    ['where it was asked nothing as a whole', frameOf(1).subarray(0, 8), { lingers: true }],
  ])('ends at once %s', async (_where, request, options) => {
    await using asked = await askedAndGone(request, options)
    await asked.ended
    expect(asked.link.lingering).toBe(0)
  })
})
