import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BatchSize } from '../../src/source/batch-size.ts'

const target = 3_000_000
const serverLimit = 16 * 1024 * 1024

/** What MongoDB answers to `size` from a backlog of events of `eventBytes`; gives the reply's bytes. */
function reply(size: BatchSize, eventBytes: number): number {
  const events = Math.max(1, Math.min(size.events, Math.floor(serverLimit / eventBytes)))
  size.received(events, events * eventBytes)
  return events * eventBytes
}

describe('the size of batches', () => {
  it.each([
    [100, 5_000, 5_000],
    [700, 5_000, 4_285],
    [30_000, 5_000, 100],
    [16_000_000, 5_000, 1],
    [700, 5, 5],
  ])('for events of %i bytes and at most %i of them: %i', (eventBytes, maxEvents, expected) => {
    const size = new BatchSize(target, maxEvents)
    for (let i = 0; i < 40; i++) reply(size, eventBytes)
    expect(size.events).toBe(expected)
  })

  it('is right in the next reply after events grew, and soon after they shrank', () => {
    const size = new BatchSize(target, 5_000)
    reply(size, 500)
    expect(reply(size, 1_000_000)).toBeLessThanOrEqual(serverLimit)
    expect(reply(size, 1_000_000)).toBeLessThanOrEqual(target)
    for (let i = 0; i < 12; i++) reply(size, 1_000)
    expect(reply(size, 1_000)).toBeGreaterThan(0.8 * target)
  })

  it('is between 1 and the limit, and not moved by empty replies', () => {
    const replies = fc.array(fc.tuple(fc.nat(10_000), fc.integer({ min: 26, max: serverLimit })))
    fc.assert(
      fc.property(replies, all => {
        const size = new BatchSize(target, 5_000)
        for (const [events, eventBytes] of all) {
          const before = size.events
          size.received(events, events * eventBytes)
          if (events === 0) expect(size.events).toBe(before)
          expect(size.events).toBeGreaterThanOrEqual(1)
          expect(size.events).toBeLessThanOrEqual(5_000)
        }
      }),
    )
  })

  it('is up to three times as large for many readers, and the usual one for up to 32', () => {
    const size = new BatchSize(target, 5_000)
    for (let i = 0; i < 40; i++) reply(size, 700)
    const of = (readers: number) => size.eventsFor(readers)
    expect([of(0), of(1), of(32)]).toEqual([4_285, 4_285, 4_285])
    expect(of(64)).toBe(8_571)
    expect([of(96), of(10_000)]).toEqual([12_857, 12_857])
  })
})
