import fc from 'fast-check'
import { MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { readOplogRate, stretchStartsMs } from '../../src/source/oplog-rate.ts'

test('the oplog is measured: what was just written is in the busiest ten seconds', async () => {
  const client = new MongoClient(inject('mongodbUri'))
  try {
    const bytes = 4_000_000
    const texts = Array.from({ length: 40 }, () => 'x'.repeat(bytes / 40))
    const measured = async () => {
      await client
        .db(`rate${process.pid}`)
        .collection('c')
        .insertMany(texts.map(filling => ({ filling })))
      return await readOplogRate(client, systemClock, 10_000, new AbortController().signal)
    }
    let rate = await measured()
    // A server that is busy with other tests may not come to the end of a scan, which has few seconds.
    while (rate?.peakBytesPerSecond === undefined) rate = await measured()
    expect(rate?.averageBytesPerSecond).toBeGreaterThan(0)
    expect(rate?.windowMs).toBeGreaterThan(0)
    // It may be split over two steps.
    expect(rate?.peakBytesPerSecond).toBeGreaterThanOrEqual(bytes / 10 / 2)
  } finally {
    await client.db(`rate${process.pid}`).dropDatabase()
    await client.close()
  }
})

test('samples lie within the oplog, before its last minute, apart, and evenly wherever one stops', () => {
  const day = 86_400_000
  fc.assert(
    fc.property(fc.nat(2 * day), fc.nat(128), (windowMs, count) => {
      const [oldestMs, newestMs] = [1_700_000_000_000, 1_700_000_000_000 + windowMs]
      const starts = stretchStartsMs(oldestMs, newestMs)
      const spanMs = windowMs - 60_000
      expect(starts.length > 0).toBe(spanMs >= 10_000)
      const inOrder = starts.toSorted((a, b) => a - b)
      for (const [i, startMs] of inOrder.entries()) {
        expect(startMs).toBeGreaterThanOrEqual(oldestMs)
        expect((inOrder[i + 1] ?? newestMs - 60_000) - startMs).toBeGreaterThanOrEqual(10_000)
      }
      const some = starts.slice(0, Math.max(1, Math.min(count, starts.length))).toSorted((a, b) => a - b)
      const gaps = some.map((startMs, i) => (some[i + 1] ?? newestMs - 60_000) - startMs)
      // Each halves a gap: where one stops, the widest is at most twice what it would be at best.
      if (starts.length > 0) expect(Math.max(...gaps)).toBeLessThanOrEqual((2 * spanMs) / some.length + 1)
    }),
  )
})
