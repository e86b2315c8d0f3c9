import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCheckpoint, serializeCheckpoint } from '../../src/checkpoint/format.ts'
import { Position } from '../../src/position.ts'
import { sample } from './sample.ts'

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const anyCheckpoint = fc
  .record({
    deployment: fc.string({ unit: 'grapheme' }),
    pipeline: fc.string({ unit: 'binary' }),
    slot: count,
    epoch: count,
    generation: count,
    revision: count,
    cluster: fc.string(),
    filterHash: fc.string(),
    position: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(time => Position.ofTime(time).toJSON()),
    partitions: fc.dictionary(fc.string(), count),
    ends: fc.dictionary(fc.string(), fc.array(count)),
    savedAtMs: count,
  })
  .map(sample)

describe('a stored checkpoint', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(anyCheckpoint, checkpoint => {
        const read = parseCheckpoint(serializeCheckpoint(checkpoint), 'here')
        // As JSON: a lone surrogate becomes U+FFFD on its way through UTF-8, and prototypes are not compared.
        const sent = JSON.parse(Buffer.from(JSON.stringify(checkpoint)).toString())
        expect(JSON.parse(JSON.stringify(read))).toEqual(sent)
      }),
    )
  })

  it('shows every change of a single byte', () => {
    const bytes = serializeCheckpoint(sample())
    for (let at = 0; at < bytes.length; at += 1) {
      for (const flip of [0x01, 0x20, 0x80, 0xff]) {
        const broken = Buffer.from(bytes)
        broken[at]! ^= flip
        expect(() => parseCheckpoint(broken, 'here'), `byte ${at} ^ ${flip}`).toThrow(
          expect.objectContaining({ code: 'CHECKPOINT_CORRUPT' }),
        )
      }
    }
  })

  it('shows every cut and every addition', () => {
    const bytes = serializeCheckpoint(sample())
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => parseCheckpoint(bytes.subarray(0, length), 'cut')).toThrow(
        expect.objectContaining({ code: 'CHECKPOINT_CORRUPT' }),
      )
    }
    expect(() => parseCheckpoint(Buffer.concat([bytes, Buffer.of(10)]), 'longer')).toThrow(/longer: its checksum/)
  })

  it('is read from format version 1, which knew no ends', () => {
    const { ends: _, revision: __, ...rest } = sample()
    const old = { ...rest, formatVersion: 1 } as unknown as ReturnType<typeof sample>
    expect(parseCheckpoint(serializeCheckpoint(old), 'here')).toEqual({ ...sample(), ends: {}, revision: 0 })
    const mixed = { ...sample(), formatVersion: 1 } as unknown as ReturnType<typeof sample>
    expect(() => parseCheckpoint(serializeCheckpoint(mixed), 'here')).toThrow(/formatVersion/)
  })

  it('is read from format version 2, which knew no revision', () => {
    const { revision: _, ...rest } = sample()
    const old = { ...rest, formatVersion: 2 } as unknown as ReturnType<typeof sample>
    expect(parseCheckpoint(serializeCheckpoint(old), 'here')).toEqual({ ...sample(), revision: 0 })
    const mixed = { ...sample(), formatVersion: 2 } as unknown as ReturnType<typeof sample>
    expect(() => parseCheckpoint(serializeCheckpoint(mixed), 'here')).toThrow(/formatVersion/)
  })

  it('says that a newer format is newer, not corrupt', () => {
    const newer = { ...sample(), formatVersion: 4, more: true } as unknown as ReturnType<typeof sample>
    expect(() => parseCheckpoint(serializeCheckpoint(newer), 'here')).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_NEWER' }),
    )
  })

  it.each([
    ['a missing field', { cluster: undefined }],
    ['a field of another type', { slot: '0' }],
    ['a negative count', { epoch: -1 }],
    ['a revision that is none', { revision: 'v2' }],
    ['a position that cannot be resumed', { position: { kind: 'event', token: 'AAAA', clusterTime: '1' } }],
    ['a position without a time', { position: { kind: 'time', token: null, clusterTime: 'soon' } }],
    ['partitions that are no counts', { partitions: { t: 1.5 } }],
    ['ends that are no offsets', { ends: { t: [-1] } }],
    ['ends that are no lists', { ends: { t: 5 } }],
    ['an unknown field', { surprise: 1 }],
    ['an older format than there ever was', { formatVersion: 0 }],
  ])('refuses %s though the sum is right', (_name, changes) => {
    const wrong = { ...sample(), ...changes } as unknown as ReturnType<typeof sample>
    expect(() => parseCheckpoint(serializeCheckpoint(wrong), 'here')).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_CORRUPT' }),
    )
  })
})
