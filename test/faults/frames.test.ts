import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ProtocolName, RequestFrames } from './frames.ts'

/** A request with this code and id and `bytes` of body, and the answer to the request `id`. */
interface Writing {
  readonly request: (code: number, id: number, bytes: number) => Buffer
  readonly answer: (id: number, bytes: number) => Buffer
}

const writings: Readonly<Record<ProtocolName, Writing>> = {
  kafka: {
    request(code, id, bytes) {
      const frame = Buffer.alloc(12 + bytes, 'x')
      frame.writeInt32BE(8 + bytes, 0)
      frame.writeInt16BE(code, 4)
      frame.writeInt32BE(id, 8)
      return frame
    },
    answer(id, bytes) {
      const frame = Buffer.alloc(12 + bytes)
      frame.writeInt32BE(8 + bytes, 0)
      frame.writeInt32BE(id, 4)
      return frame
    },
  },
  mongodb: {
    request: (code, id, bytes) => message([16 + bytes, id, 0, code], bytes),
    answer: (id, bytes) => message([16 + bytes, 7_000_000 + id, id, 2013], bytes),
  },
}

function message(head: readonly number[], bytes: number): Buffer {
  const frame = Buffer.alloc(16 + bytes, 'x')
  for (const [i, value] of head.entries()) frame.writeInt32LE(value, 4 * i)
  return frame
}

const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 50 })
const bodies = fc.array(fc.nat(60), { minLength: 1, maxLength: 12 })

function* pieces(stream: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < stream.length; i++) {
    const piece = stream.subarray(at, at + sizes[i % sizes.length]!)
    at += piece.length
    yield piece
  }
}

describe.each(['kafka', 'mongodb'] as const)('of %s', name => {
  const { request, answer } = writings[name]

  test('every request and every answer is seen once, in whatever pieces it comes', () => {
    fc.assert(
      fc.property(bodies, cuts, (sizes, lengths) => {
        const frames = new RequestFrames(name)
        const [begun, answers]: [number[], number[]] = [[], []]
        const asked = Buffer.concat(sizes.map((bytes, i) => request(i, 100 + i, bytes)))
        for (const piece of pieces(asked, lengths)) {
          frames.up(piece)
          begun.push(...frames.begun.map(({ apiKey, correlationId }) => 1_000 * apiKey + correlationId))
        }
        expect(begun).toEqual(sizes.map((_, i) => 1_000 * i + 100 + i))
        expect(frames.unanswered).toBe(sizes.length)
        const answered = Buffer.concat(sizes.map((bytes, i) => answer(100 + i, bytes)))
        for (const piece of pieces(answered, lengths)) {
          frames.down(piece)
          answers.push(...frames.answers)
        }
        expect(answers).toEqual(sizes.map((_, i) => 100 + i))
        expect(frames.unanswered).toBe(0)
      }),
    )
  })

  test('a request that is not here as a whole, or was withheld, is not waited for', () => {
    const frames = new RequestFrames(name)
    frames.up(request(0, 1, 50))
    frames.up(request(0, 2, 50).subarray(0, 40))
    expect(frames.unanswered).toBe(1)
    frames.up(request(0, 2, 50).subarray(40))
    expect(frames.unanswered).toBe(2)
    frames.up(request(0, 3, 50))
    frames.withhold()
    expect(frames.unanswered).toBe(2)
    frames.down(answer(1, 5))
    expect(frames.unanswered).toBe(1)
  })
})
