import { MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { readOplogRate } from '../../src/source/oplog-rate.ts'

test('the oplog is measured: what was just written is in the busiest ten seconds', async () => {
  const client = new MongoClient(inject('mongodbUri'))
  try {
    const bytes = 4_000_000
    const documents = Array.from({ length: 40 }, () => ({ filling: 'x'.repeat(bytes / 40) }))
    await client.db(`rate${process.pid}`).collection('c').insertMany(documents)
    const rate = await readOplogRate(client, systemClock, 10_000, new AbortController().signal)
    expect(rate?.averageBytesPerSecond).toBeGreaterThan(0)
    // It may be split over two steps.
    expect(rate?.peakBytesPerSecond).toBeGreaterThanOrEqual(bytes / 10 / 2)
  } finally {
    await client.db(`rate${process.pid}`).dropDatabase()
    await client.close()
  }
})
