import { describe, expect, test } from 'vitest'
import { workOnSlots } from '../../src/cli/slots.ts'
import type { Clock } from '../../src/clock.ts'
import { Configuration, Fenced, Retryable } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { SlotHolder, Workers } from '../../src/workers/workers.ts'

const holder: SlotHolder = { take() {}, async release() {} }
const away = () => new Retryable('SINK_UNAVAILABLE', 'the group is away')

/** Workers whose runs end as told, one after another; time passes at once. */
class Runs {
  readonly sleepsMs: number[] = []
  readonly holders: SlotHolder[] = []
  readonly stop = new AbortController()
  onSleep: () => void = () => {}
  readonly #ends: (() => Promise<void>)[]

  constructor(...ends: (() => Promise<void>)[]) {
    this.#ends = ends
  }

  work(): Promise<void> {
    const clock: Clock = {
      nowMs: () => 0,
      random: () => 1,
      sleep: async (ms, signal) => {
        this.sleepsMs.push(ms)
        this.onSleep()
        signal?.throwIfAborted()
      },
    }
    const parts = { open: () => this.#open(), backOff: { initialMs: 10, maxMs: 40 }, clock, log: silentLogger }
    return workOnSlots(parts, holder, this.stop.signal)
  }

  #open(): Workers {
    const run: Workers['run'] = (given, signal) => {
      expect(signal).toBe(this.stop.signal)
      this.holders.push(given)
      return this.#ends.shift()!()
    }
    return { run } as Workers
  }
}

describe('slots', () => {
  test('are looked for anew when the group is away, ever more slowly, by workers of their own', async () => {
    const fails = () => Promise.reject(away())
    const runs = new Runs(fails, fails, fails, fails, async () => {})
    await runs.work()
    expect(runs.holders).toEqual(Array.from({ length: 5 }, () => holder))
    expect(runs.sleepsMs).toHaveLength(4)
    const [first = 0, second = 0, third = 0, fourth = 0] = runs.sleepsMs
    expect([second > first, third > second, fourth]).toEqual([true, true, third])
  })

  test.each([new Configuration('WORKERS_MISMATCH', 'a stranger'), new Fenced('WORKERS_LOST', 'gone')])(
    'are not looked for again after $name',
    async fault => {
      const runs = new Runs(() => Promise.reject(fault))
      await expect(runs.work()).rejects.toBe(fault)
      expect(runs.sleepsMs).toEqual([])
    },
  )

  test('are not looked for again once it is stopping', async () => {
    const fault = away()
    const runs = new Runs(async () => {
      runs.stop.abort()
      throw fault
    })
    await expect(runs.work()).rejects.toBe(fault)
  })

  test('a stop while it waits to look again ends it cleanly', async () => {
    const runs = new Runs(
      () => Promise.reject(away()),
      async () => expect(runs.stop.signal.aborted).toBe(true),
    )
    runs.onSleep = () => runs.stop.abort()
    await runs.work()
    expect(runs.holders).toHaveLength(2) // The second one leaves at once.
  })
})
