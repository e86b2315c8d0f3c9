import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Saver } from '../../src/pipeline/saver.ts'
import { Position } from '../../src/position.ts'

const at = (seconds: number) => Position.ofTime(BigInt(seconds) << 32n)

/** A ledger that keeps every write; each waits for `gate` and fails with its error. */
function remembering() {
  const writes: (number | undefined)[] = []
  const counts: string[] = []
  let gate = Promise.resolve()
  const ledger = {
    savedAtMs: 0,
    usePartitions: (topic: string, count: number) => void counts.push(`${topic} ${count}`),
    async write(position: Position | undefined) {
      await gate
      writes.push(position && position.timeMs / 1_000)
    },
  }
  const saver = new Saver({ ledger, intervalMs: 0, hurry: new AbortController().signal, clock: systemClock })
  const close = (): PromiseWithResolvers<void> => {
    const opening = Promise.withResolvers<void>()
    gate = opening.promise
    return opening
  }
  return { saver, writes, counts, close }
}

test('while one save is under way the later ones become one, which settles them all', async () => {
  const { saver, writes, close } = remembering()
  const gate = close()
  const all = [11, 12, 13, 14].map(seconds => saver.save(at(seconds)))
  gate.resolve()
  await Promise.all(all)
  expect(writes).toEqual([11, 14])
  await saver.save(at(15))
  expect(writes).toEqual([11, 14, 15])
})

test('a partition count is durable when it is promised, and never takes the position back', async () => {
  const { saver, writes, counts, close } = remembering()
  const gate = close()
  const saved = saver.save(at(20))
  const used = saver.usePartitions('shop.orders', 6)
  gate.resolve()
  await Promise.all([saved, used])
  expect(counts).toEqual(['shop.orders 6'])
  expect(writes).toEqual([20, undefined])
})

test('a failed save rejects those who waited for it; the next is tried', async () => {
  const { saver, writes, close } = remembering()
  const gate = close()
  const saved = saver.save(at(30))
  gate.reject(new Error('disk full'))
  await expect(saved).rejects.toThrow('disk full')
  close().resolve()
  await saver.save(at(31))
  expect(writes).toEqual([31])
})
