import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Link } from './link.ts'

/** A server that says everything back, and a link before it. */
async function echo() {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const link = await Link.open(address.port)
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
})
