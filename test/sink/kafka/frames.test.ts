import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Frames } from '../../../src/sink/kafka/frames.ts'
import type { Request } from '../../../src/sink/kafka/protocol/request.ts'

/** A socket whose other end is the test: what is written lies in `written`, what `arrive` is given arrives. */
class FakeSocket extends Duplex {
  readonly written: Buffer[] = []
  setTimeout(): this {
    return this
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    done()
  }
  arrive(chunk: Buffer): void {
    this.emit('data', chunk)
  }
}

function open(onBroken: (error: Error) => void = error => expect(error).toBeUndefined()) {
  const socket = new FakeSocket()
  const others: Buffer[] = []
  socket.on('data', chunk => others.push(chunk))
  const frames = new Frames(socket as unknown as Socket, 'me', 1_000, onBroken)
  return { socket, others, frames }
}

const echo: Request<string> = {
  apiKey: 3,
  apiVersion: 8,
  encode: () => [Buffer.from('ab'), Buffer.from('cd')],
  parse: answer => answer.toString(),
}

function frame(correlationId: number, body: string): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + body.length, 0)
  head.writeInt32BE(correlationId, 4)
  return Buffer.concat([head, Buffer.from(body)])
}

const firstId = 2 ** 30

describe('frames', () => {
  it('write length, header version 1 and the parts as they are', () => {
    const { socket, frames } = open()
    frames.send(echo, () => {})
    const head = Buffer.from([0, 0, 0, 16, 0, 3, 0, 8, 0x40, 0, 0, 0, 0, 2])
    expect(Buffer.concat(socket.written)).toEqual(Buffer.concat([head, Buffer.from('meabcd')]))
  })

  it('give each request its answer and the others theirs, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 40 }), fc.nat({ max: 6 }), (cuts, foreignAt) => {
        const { socket, others, frames } = open()
        const answers: unknown[] = []
        for (let i = 0; i < 6; i += 1) frames.send(echo, (error, answer) => answers.push(error ?? answer))
        const sent = Array.from({ length: 6 }, (_, i) => frame(firstId + i, `answer ${'x'.repeat(i * 7)}`))
        const foreign = frame(4, 'login')
        const bytes = Buffer.concat(sent.toSpliced(foreignAt, 0, foreign))
        let from = 0
        for (const cut of [...cuts, bytes.length]) {
          if (from < bytes.length) socket.arrive(bytes.subarray(from, from + cut))
          from = Math.min(from + cut, bytes.length)
        }
        expect(answers).toEqual(Array.from({ length: 6 }, (_, i) => `answer ${'x'.repeat(i * 7)}`))
        expect(Buffer.concat(others)).toEqual(foreign)
      }),
    )
  })

  it('pass on what the request makes of its answer', () => {
    const { socket, frames } = open()
    const results: unknown[] = []
    const refusing = { ...echo, parse: () => expect.fail('refused') }
    frames.send(refusing, error => results.push(String(error)))
    socket.arrive(frame(firstId, ''))
    expect(results).toEqual([expect.stringContaining('refused')])
  })

  it.each([
    ['an answer to no request', frame(firstId + 7, 'x')],
    ['an answer of -1 bytes', Buffer.from([255, 255, 255, 255, 0])],
    ['speaks TLS', Buffer.from([0x15, 3, 1, 0, 2, 2, 70])],
  ])('are broken by %s', (message, bytes) => {
    const errors: string[] = []
    const { socket } = open(error => errors.push(error.message))
    socket.arrive(bytes)
    expect(errors).toEqual([expect.stringContaining(message)])
  })
})
