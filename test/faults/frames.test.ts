import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RequestFrames } from './frames.ts'

function request(apiKey: number, correlationId: number, body: string): Buffer {
  const frame = Buffer.alloc(12 + body.length)
  frame.writeInt32BE(8 + body.length, 0)
  frame.writeInt16BE(apiKey, 4)
  frame.writeInt32BE(correlationId, 8)
  frame.write(body, 12)
  return frame
}

test('every request and every answer is seen once, in whatever pieces it comes', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }), sizes, (bodies, cuts) => {
      const stream = Buffer.concat(bodies.map((bytes, i) => request(i, 100 + i, 'x'.repeat(bytes))))
      const frames = new RequestFrames()
      const [begun, answers]: [number[], number[]] = [[], []]
      for (let at = 0, i = 0; at < stream.length; i++) {
        const chunk = stream.subarray(at, at + cuts[i % cuts.length]!)
        frames.up(chunk)
        begun.push(...frames.begun.map(({ apiKey, correlationId }) => 1_000 * apiKey + correlationId))
        at += chunk.length
      }
      expect(begun).toEqual(bodies.map((_, i) => 1_000 * i + 100 + i))
      for (const body of bodies) {
        const answer = Buffer.alloc(12 + body)
        answer.writeInt32BE(8 + body, 0)
        answer.writeInt32BE(body, 4)
        frames.down(answer)
        answers.push(...frames.answers)
      }
      expect(answers).toEqual(bodies)
    }),
  )
})
