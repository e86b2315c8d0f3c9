import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { MalformedAnswer } from '../../../src/sink/kafka/protocol/answer-reader.ts'
import { BrokerError } from '../../../src/sink/kafka/protocol/broker-error.ts'
import type { Request } from '../../../src/sink/kafka/protocol/request.ts'
import { type ConnectionSettings, WireConnection } from '../../../src/sink/kafka/wire-connection.ts'
import { never, settingsFor } from './fixture.ts'
import { passwordLogin } from './login-fixture.ts'
import { answering, fakeServer } from './wire-fixture.ts'

const settings: ConnectionSettings = {
  kafka: settingsFor([]),
  connectTimeoutMs: 30_000,
  requestTimeoutMs: 30_000,
}
const login = passwordLogin('plain', 'u', 'p')

/** Sends `body` and reads a number from the answer: 87 is the broker's error, a negative one makes no sense. */
function numberRequest(body: Buffer, onEncode: () => void = () => {}): Request<number> {
  return {
    apiKey: 0,
    apiVersion: 8,
    encode() {
      onEncode()
      return [body]
    },
    parse(answer) {
      const number = answer.readInt32BE(0)
      if (number < 0) throw new MalformedAnswer('negative')
      if (number === 87) throw new BrokerError(number)
      return number
    },
  }
}

function numberBody(number: number): Buffer {
  const body = Buffer.alloc(4)
  body.writeInt32BE(number, 0)
  return body
}

const unavailable = { name: 'Retryable', code: 'SINK_UNAVAILABLE' }

describe('a connection', () => {
  it('pipelines requests in call order and gives each its own answer', async () => {
    await using server = await fakeServer(socket => answering(socket, (_, request) => request.subarray(-4)))
    const connection = await WireConnection.open(settings, server.address, never)
    const answers = Array.from({ length: 20 }, (_, i) => connection.request(numberRequest(numberBody(i))))
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 20 }, (_, i) => i))
    connection.close()
  })

  it('outlives an error that the broker answers, which is of one request alone', async () => {
    await using server = await fakeServer(socket => answering(socket, (_, request) => request.subarray(-4)))
    const connection = await WireConnection.open(settings, server.address, never)
    const [first, refused, third] = [1, 87, 3].map(i => connection.request(numberRequest(numberBody(i))))
    await expect(refused).rejects.toMatchObject({ name: 'Configuration', code: 'SINK_REJECTED', cause: { code: 87 } })
    expect(await Promise.all([first, third])).toEqual([1, 3])
    expect(connection.closed).toBe(false)
    connection.close()
  })

  it('ends with an answer that makes no sense, for all requests', async () => {
    await using server = await fakeServer(socket => answering(socket, (_, request) => request.subarray(-4)))
    const connection = await WireConnection.open(settings, server.address, never)
    const [good, odd, later] = [1, -1, 3].map(i => connection.request(numberRequest(numberBody(i))))
    await Promise.all([
      expect(odd).rejects.toMatchObject({ ...unavailable, cause: { name: 'MalformedAnswer' } }),
      expect(later).rejects.toMatchObject(unavailable),
    ])
    expect(await good).toBe(1)
    expect(connection.closed).toBe(true)
    await expect(connection.request(numberRequest(numberBody(4)))).rejects.toMatchObject(unavailable)
  })

  it('ends when one answer is late', async () => {
    await using server = await fakeServer(socket =>
      answering(socket, (i, request) => (i === 0 ? request.subarray(-4) : undefined)),
    )
    const connection = await WireConnection.open({ ...settings, requestTimeoutMs: 300 }, server.address, never)
    expect(await connection.request(numberRequest(numberBody(7)))).toBe(7)
    const closed = once([...server.sockets][0]!, 'close')
    const late = [1, 2].map(i => connection.request(numberRequest(numberBody(i))))
    for (const { reason, status } of (await Promise.allSettled(late)) as PromiseRejectedResult[]) {
      expect([status, reason.code]).toEqual(['rejected', 'SINK_UNAVAILABLE'])
    }
    await closed
  })

  it('ends when the server closes it', async () => {
    await using server = await fakeServer(socket => socket.once('data', () => socket.destroy()))
    const connection = await WireConnection.open(settings, server.address, never)
    const requests = [1, 2].map(i => connection.request(numberRequest(numberBody(i))))
    await Promise.all(requests.map(request => expect(request).rejects.toMatchObject(unavailable)))
    expect(connection.closed).toBe(true)
  })

  it('does not encode what the socket cannot take, until it can', async () => {
    const read = Promise.withResolvers<void>()
    await using server = await fakeServer(socket => {
      answering(socket, i => numberBody(i))
      socket.pause()
      read.promise.then(() => socket.resume())
    })
    const connection = await WireConnection.open(settings, server.address, never)
    const body = Buffer.alloc(1 << 20)
    const encoded: number[] = []
    const requests = Array.from({ length: 40 }, (_, i) => numberRequest(body, () => encoded.push(i)))
    const answers = requests.map(request => connection.request(request))
    for (let turn = 0; turn < 100; turn += 1) await setImmediate()
    expect(encoded.length).toBeLessThan(40) // The kernel takes a few MiB, not forty.
    read.resolve()
    expect(await Promise.all(answers)).toEqual(requests.map((_, i) => i))
    expect(encoded).toEqual(requests.map((_, i) => i))
    connection.close()
  })
})

describe('closing a connection', () => {
  it('rejects what is outstanding, held back or asked later, and writes nothing more', async () => {
    const received: number[] = []
    await using server = await fakeServer(socket => {
      socket.pause()
      socket.on('data', chunk => received.push(chunk.length))
    })
    const connection = await WireConnection.open(settings, server.address, never)
    const encoded: number[] = []
    const body = Buffer.alloc(16 << 20) // More than the kernel takes.
    const requests = Array.from({ length: 3 }, (_, i) => connection.request(numberRequest(body, () => encoded.push(i))))
    const peer = [...server.sockets][0]!
    const closed = once(peer, 'close')
    connection.close()
    connection.close()
    await Promise.all(requests.map(request => expect(request).rejects.toMatchObject(unavailable)))
    await expect(connection.request(numberRequest(body))).rejects.toMatchObject(unavailable)
    peer.resume()
    await closed
    expect(encoded).toEqual([0])
    expect(received.reduce((sum, length) => sum + length, 0)).toBeLessThan(body.length)
  })
})

describe('opening a connection', () => {
  it('ends at once with the reason of its signal, and closes the socket', async () => {
    const arrived = Promise.withResolvers<void>()
    await using server = await fakeServer(socket => socket.once('data', () => arrived.resolve()))
    const controller = new AbortController()
    const silent = { ...settings, kafka: { ...settings.kafka, login } }
    const opening = WireConnection.open(silent, server.address, controller.signal)
    await arrived.promise
    const closed = once([...server.sockets][0]!, 'close')
    controller.abort(new Error('enough'))
    await expect(opening).rejects.toThrow('enough')
    await closed
    await expect(WireConnection.open(settings, server.address, controller.signal)).rejects.toThrow('enough')
  })

  it('takes no longer than its limit, authentication included', async () => {
    await using server = await fakeServer(() => {})
    const silent = { ...settings, connectTimeoutMs: 300, kafka: { ...settings.kafka, login } }
    await expect(WireConnection.open(silent, server.address, never)).rejects.toMatchObject(unavailable)
  })

  it('names address and cause where nobody listens', async () => {
    const server = await fakeServer(() => {})
    await server[Symbol.asyncDispose]()
    const { host, port } = server.address
    await expect(WireConnection.open(settings, server.address, never)).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringMatching(new RegExp(`connect to ${host}:${port}.*ECONNREFUSED`)),
    })
    const impossible = { host, port: 65_536 }
    await expect(WireConnection.open(settings, impossible, never)).rejects.toMatchObject(unavailable)
  })

  it('that breaks during authentication is no wrong password', async () => {
    await using server = await fakeServer(socket => socket.once('data', () => socket.destroy()))
    const secured = { ...settings, kafka: { ...settings.kafka, login } }
    await expect(WireConnection.open(secured, server.address, never)).rejects.toMatchObject(unavailable)
  })
})
