import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BusyMeter, bottleneck, busiest, type Doing } from '../src/busy.ts'
import type { Clock } from '../src/clock.ts'

/** A thread that has nothing to do but to encode; a span may say otherwise. */
function setting(startMs = 1_700_000_000_250) {
  let nowMs = startMs
  let idleMs = 77
  const clock: Clock = {
    nowMs: () => Math.floor(nowMs),
    random: () => 0,
    sleep: async () => undefined,
    idleMs: () => idleMs,
  }
  const busy = new BusyMeter(clock)
  const spend = (doing: Doing, ms: number, computedMs = doing === 'encode' ? ms : 0) => {
    busy.enter(doing)
    nowMs += ms
    idleMs += Math.max(0, ms - computedMs)
  }
  return { busy, spend, nowMs: () => nowMs }
}

describe('the busy meter', () => {
  test('knows nothing before any time has passed', () => {
    const { busy } = setting()
    expect(busy.ratios()).toEqual({ source: 0, encode: 0, sink: 0 })
  })

  test('divides the time among what was done, the present one up to now included', () => {
    const { busy, spend } = setting()
    spend('source', 100)
    spend('encode', 500)
    spend('sink', 300)
    spend('idle', 100)
    expect(busy.ratios()).toEqual({ source: 0.1, encode: 0.5, sink: 0.3 })
    spend('idle', 1_000)
    expect(busy.ratios()).toEqual({ source: 0.05, encode: 0.25, sink: 0.15 })
  })

  test('forgets what was ten seconds ago', () => {
    const { busy, spend } = setting()
    spend('sink', 60_000)
    expect(busy.ratios().sink).toBe(1)
    spend('encode', 10_000)
    expect(busy.ratios()).toEqual({ source: 0, encode: 1, sink: 0 })
  })

  test('is what a plain list of spans gives for the last ten slots', () => {
    const span = fc.record({
      doing: fc.constantFrom<Doing>('source', 'encode', 'sink', 'idle'),
      ms: fc.integer({ min: 0, max: 15_000 }),
    })
    fc.assert(
      fc.property(fc.nat(2_000), fc.array(span, { minLength: 1, maxLength: 40 }), (startMs, spans) => {
        const { busy, spend, nowMs } = setting(startMs)
        const past: { doing: Doing; fromMs: number; untilMs: number }[] = []
        for (const { doing, ms } of spans) {
          past.push({ doing, fromMs: nowMs(), untilMs: nowMs() + ms })
          spend(doing, ms)
        }
        const firstMs = Math.max(startMs, (Math.ceil(nowMs() / 1_000) - 10) * 1_000)
        const within = (doing: Doing) =>
          past
            .filter(each => each.doing === doing)
            .reduce((sum, { fromMs, untilMs }) => sum + Math.max(0, untilMs - Math.max(fromMs, firstMs)), 0)
        const totalMs = nowMs() - firstMs
        const share = (doing: Doing) => (totalMs === 0 ? 0 : within(doing) / totalMs)
        expect(busy.ratios()).toEqual({ source: share('source'), encode: share('encode'), sink: share('sink') })
      }),
    )
  })

  test('a wait in which the thread computes is one for the processor, but for who waits for changes', () => {
    const { busy, spend } = setting()
    spend('source', 400, 300)
    spend('sink', 300, 50)
    spend('encode', 100)
    spend('idle', 200, 200)
    const { source, encode, sink } = busy.ratios()
    expect(source).toBeCloseTo(0.1, 9)
    expect(encode).toBeCloseTo(0.45, 9)
    expect(sink).toBeCloseTo(0.25, 9)
  })

  test('spans shorter than a tick of the clock are divided rightly all the same', () => {
    const { busy, spend } = setting()
    for (let batch = 0; batch < 5_000; batch += 1) {
      spend('source', 0.43)
      spend('encode', 0.11)
      spend('sink', 0.66, 0.22)
      spend('idle', 0.3137) // No multiple of a tick, or each batch would meet it at the same place.
    }
    const { source, encode, sink } = busy.ratios()
    expect(source).toBeCloseTo(0.43 / 1.5137, 2)
    expect(encode).toBeCloseTo(0.33 / 1.5137, 2)
    expect(sink).toBeCloseTo(0.44 / 1.5137, 2)
  })

  test('without the idle time of the thread a wait is a wait', () => {
    let nowMs = 0
    const busy = new BusyMeter({ nowMs: () => nowMs, random: () => 0, sleep: async () => undefined })
    busy.enter('source')
    nowMs = 300
    busy.enter('sink')
    nowMs = 1_000
    expect(busy.ratios()).toEqual({ source: 0.3, encode: 0, sink: 0.7 })
  })

  test('survives a clock that is set back, and one that is set forward', () => {
    const { busy, spend } = setting()
    spend('encode', 4_000)
    spend('sink', -3_600_000)
    spend('sink', 500)
    for (let second = 0; second < 12; second += 1) {
      const { source, encode, sink } = busy.ratios()
      expect(source + encode + sink).toBe(1)
      spend('encode', 1_000)
    }
    expect(busy.ratios().encode).toBe(1)
    spend('source', 86_400_000)
    spend('encode', 10_000)
    expect(busy.ratios().encode).toBe(1)
  })
})

describe('throttling', () => {
  test('is the share of the time until which the sink was told to wait', () => {
    const { busy, spend } = setting()
    expect(busy.throttledRatio).toBe(0)
    spend('sink', 1_000)
    busy.throttle(500)
    busy.throttle(300) // At the same time as the other: over before it.
    expect(busy.throttledRatio).toBe(0)
    spend('sink', 250)
    expect(busy.throttledRatio).toBe(0.2)
    spend('idle', 750)
    expect(busy.throttledRatio).toBe(0.25)
    expect(busy.ratios()).toEqual({ source: 0, encode: 0, sink: 0.625 })
    spend('idle', 11_000)
    expect(busy.throttledRatio).toBe(0)
  })

  test('ends when the clock is set back, lest it last for that long', () => {
    const { busy, spend } = setting()
    busy.throttle(5_000)
    spend('sink', -3_600_000)
    expect(busy.throttledRatio).toBe(0)
    spend('sink', 1_000)
    expect(busy.throttledRatio).toBe(0)
  })
})

describe('what limits the throughput', () => {
  test('is the stage with the largest share', () => {
    expect(bottleneck({ source: 0.1, encode: 0.2, sink: 0.7 })).toEqual({ stage: 'sink', ratio: 0.7 })
    expect(bottleneck({ source: 0.3, encode: 0.4, sink: 0.2 })).toEqual({ stage: 'encode', ratio: 0.4 })
    expect(bottleneck({ source: 0.9, encode: 0.05, sink: 0 })).toEqual({ stage: 'source', ratio: 0.9 })
  })

  test('is nothing where the pipeline waits for changes half of the time or more', () => {
    expect(bottleneck({ source: 0, encode: 0, sink: 0 })).toBeNull()
    expect(bottleneck({ source: 0, encode: 0.25, sink: 0.25 })).toBeNull()
  })
})

test('the busiest is the one that works most in all, not the one with the largest single share', () => {
  const steady = { source: 0.3, encode: 0.3, sink: 0.3 }
  expect(busiest([{ source: 0, encode: 0.8, sink: 0 }, steady, { source: 0, encode: 0, sink: 0 }])).toBe(steady)
  expect(busiest([])).toEqual({ source: 0, encode: 0, sink: 0 })
})
