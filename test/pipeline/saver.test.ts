import { expect, test, vi } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { Saver } from '../../src/pipeline/saver.ts'
import { Position } from '../../src/position.ts'

const waiting = { timeout: 30_000, interval: 1 }
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

test('who waits for a save has one before the interval is over, and then the interval is kept again', async () => {
  let nowMs = 1_000
  const asleep: { readonly ms: number; wake(): void }[] = []
  const clock: Clock = {
    nowMs: () => nowMs,
    random: () => 0.5,
    async sleep(ms, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      asleep.push({ ms, wake: resolve })
      await promise
      nowMs += ms
    },
  }
  const writes: (number | undefined)[] = []
  const ledger = {
    savedAtMs: 990,
    usePartitions: () => undefined,
    write: async (position: Position | undefined) => {
      ledger.savedAtMs = nowMs
      writes.push(position && position.timeMs / 1_000)
    },
  }
  const saver = new Saver({ ledger, intervalMs: 500, hurry: new AbortController().signal, clock })
  const first = saver.save(at(1))
  saver.hurry()
  await vi.waitUntil(() => asleep.length === 2, waiting)
  asleep[1]?.wake()
  await first
  const second = saver.save(at(2))
  await vi.waitUntil(() => asleep.length === 3, waiting)
  expect(writes).toEqual([1])
  asleep[2]?.wake()
  await second
  expect(writes).toEqual([1, 2])
  expect(asleep.slice(0, 3).map(({ ms }) => ms)).toEqual([490, 90, 500])
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
