import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Pacing, pacedBatchBytes, partitionsFor } from '../../../src/sink/kafka/pacing.ts'

const perSecond = 1_000_000
const never = new AbortController().signal

/** Time that stands still until a sleeper is woken, in the order of the wakings. */
class Timeline {
  now = 0
  readonly #sleepers: { readonly atMs: number; readonly wake: () => void }[] = []
  nowMs = () => this.now
  sleep = (ms: number) =>
    new Promise<void>(resolve => this.#sleepers.push({ atMs: this.now + ms, wake: () => resolve() }))

  /** false: nobody sleeps. */
  next(): boolean {
    this.#sleepers.sort((a, b) => a.atMs - b.atMs)
    const sleeper = this.#sleepers.shift()
    if (sleeper === undefined) return false
    this.now = Math.max(this.now, sleeper.atMs)
    sleeper.wake()
    return true
  }
}

interface Sent {
  readonly atMs: number
  readonly bytes: number
}

async function send(sizes: readonly (readonly [partition: number, bytes: number])[]) {
  const time = new Timeline()
  const pacing = new Pacing(perSecond, time)
  const sent = new Map<number, Sent[]>()
  const turns = sizes.map(async ([partition, bytes]) => {
    await pacing.turn('t', partition, bytes, never)
    const ofPartition = sent.get(partition) ?? []
    sent.set(partition, [...ofPartition, { atMs: time.now, bytes }])
  })
  const all = Promise.all(turns)
  do await new Promise(resolve => setImmediate(resolve))
  while (time.next())
  await all
  return { sent, tookMs: time.now }
}

const bytesWithin = (sent: readonly Sent[], fromMs: number): number =>
  sent.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + 1000).reduce((sum, { bytes }) => sum + bytes, 0)

describe('pacing', () => {
  test('no second of any partition has more than it takes, and the order of calls is kept', async () => {
    const size = fc.tuple(fc.nat(2), fc.integer({ min: 1, max: pacedBatchBytes(perSecond) }))
    await fc.assert(
      fc.asyncProperty(fc.array(size, { maxLength: 60 }), async sizes => {
        const { sent } = await send(sizes)
        for (const [partition, ofPartition] of sent) {
          expect(ofPartition.map(({ bytes }) => bytes)).toEqual(
            sizes.filter(([of]) => of === partition).map(([, bytes]) => bytes),
          )
          for (const { atMs } of ofPartition) expect(bytesWithin(ofPartition, atMs)).toBeLessThanOrEqual(perSecond)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('gives nine tenths of what the partition takes, and lets the first batch go at once', async () => {
    const { sent, tookMs } = await send(Array.from({ length: 91 }, () => [0, 100_000] as const))
    expect(sent.get(0)?.[0]?.atMs).toBe(0)
    expect(tookMs).toBeCloseTo(10_000, 0)
  })

  test('an abort ends the wait with its reason', async () => {
    const stop = new AbortController()
    const sleep = (_: number, signal?: AbortSignal) =>
      new Promise<void>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    const pacing = new Pacing(perSecond, { nowMs: () => 0, sleep })
    expect(await pacing.turn('t', 0, 100_000, stop.signal)).toBe(0)
    const turn = pacing.turn('t', 0, 100_000, stop.signal)
    stop.abort(new Error('enough'))
    await expect(turn).rejects.toThrow('enough')
  })
})

test('how many partitions a rate needs', () => {
  expect([0, 900_000, 900_001, 4_500_000].map(rate => partitionsFor(rate, perSecond))).toEqual([1, 1, 2, 5])
})
