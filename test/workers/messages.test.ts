import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { protocolName, readClaim, readDecision, writeClaim, writeDecision } from '../../src/workers/messages.ts'

const busy = { source: 0.1, encode: 0.5, sink: 0.25 }
const claim = { name: 'wörker', owned: [0, 5], releasing: [3], generation: 7, leaving: false, pauses: {} }

describe('the messages of a group', () => {
  it('come back as they went', () => {
    expect(readClaim(writeClaim(claim))).toEqual(claim)
    expect(readClaim(writeClaim({ ...claim, busy }))).toEqual({ ...claim, busy })
    const workers = [{ name: 'a', owned: [1], busy }, { name: 'b', owned: [] }] // biome-ignore format: as a table.
    const pauses = { orders: { paused: true, number: 3 }, constructor: { paused: false, number: 1 } }
    expect(readClaim(writeClaim({ ...claim, pauses }))).toEqual({ ...claim, pauses })
    expect(readDecision(writeDecision({ owned: [1], workers, pauses }))).toEqual({ owned: [1], workers, pauses })
  })

  it.each([
    ['of another version', { ...claim, version: 2 }],
    ['without a name', { ...claim, version: 1, name: undefined }],
    ['with slots that are none', { ...claim, version: 1, owned: [-1] }],
    ['with slots that are no list', { ...claim, version: 1, releasing: 'all' }],
    ['with a pause that makes no sense', { ...claim, version: 1, pauses: { orders: { paused: 1, number: 1 } } }],
    ['that are no object', 5],
  ])('are refused: claims %s', (_, value) => {
    expect(() => readClaim(Buffer.from(JSON.stringify(value)))).toThrow(RangeError)
  })

  it.each([
    ['without workers', { version: 1, owned: [] }],
    ['with a worker that has no name', { version: 1, owned: [], workers: [{ owned: [] }] }],
    ['with a worker that is none', { version: 1, owned: [], workers: [null] }],
  ])('are refused: decisions %s', (_, value) => {
    expect(() => readDecision(Buffer.from(JSON.stringify(value)))).toThrow(RangeError)
  })

  it('never end in another error, whatever the bytes', () => {
    const bytes = fc.oneof(fc.uint8Array(), fc.json().map(text => Buffer.from(text))) // biome-ignore format: one line.
    fc.assert(
      fc.property(bytes, value => {
        expect(() => readClaim(Buffer.from(value))).toThrow(RangeError)
        expect(() => readDecision(Buffer.from(value))).toThrow(RangeError)
      }),
    )
  })

  it('may come from a release that tells of no pauses', () => {
    const { pauses: _, ...older } = claim
    expect(readClaim(Buffer.from(JSON.stringify({ ...older, version: 1 })))).toEqual(claim)
  })

  it('leave out figures that make no sense', () => {
    const odd = { ...claim, version: 1, busy: { source: 'much' } }
    expect(readClaim(Buffer.from(JSON.stringify(odd)))).toEqual(claim)
  })
})

describe("the protocol's name", () => {
  it('differs with cluster and slots, and with nothing else', () => {
    const names = [protocolName('c', 4), protocolName('d', 4), protocolName('c', 5), protocolName('c', 4)]
    expect(new Set(names).size).toBe(3)
    expect(names[3]).toBe(names[0])
    expect(names[0]).toMatch(/^1-[0-9a-f]{16}$/)
  })
})
