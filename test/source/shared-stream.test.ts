import { describe, expect, it } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { Position } from '../../src/position.ts'
import { Hub } from '../../src/source/hub.ts'
import type { Opening } from '../../src/source/plan.ts'
import type { Audience } from '../../src/source/reader.ts'
import { Seat } from '../../src/source/seat.ts'
import { eventAt } from './hub-model.ts'
import { selection } from './lab.ts'

describe('a shared stream', () => {
  it('is opened anew where the last batch ended, whenever its reach changes', async () => {
    const at = (time: number) => Position.ofTime(BigInt(time) << 32n)
    const opened: [narrow: boolean, from: bigint][] = []
    let time = 0
    // Every batch is of the next cluster time, and has one event in ten for the pipeline.
    const open = ({ filter }: Opening) => ({
      async *read(from: Position, signal: AbortSignal) {
        opened.push([filter !== undefined, from.clusterTime >> 32n])
        while (!signal.aborted) {
          time++
          const names = filter ? ['mine'] : ['mine', ...Array.from({ length: 9 }, () => 'foreign')]
          const position = Position.ofTime((BigInt(time) << 32n) + 2n)
          yield { events: names.map(name => eventAt(time, name)), position, bytes: 0, more: true }
          await new Promise(setImmediate)
        }
      },
    })
    // Only the wait for others to gather ends: the pipeline is never found to be stalled.
    const sleep = (ms: number) => (ms === 0 ? Promise.resolve() : new Promise<void>(() => {}))
    const clock: Clock = { nowMs: () => time * 100, sleep, random: () => 0 }
    const reach = { windowMs: 1_000, foreignPerSecond: 1, share: 0.5, narrowMs: 2_000, maxNarrowMs: 2_000 }
    const hub = new Hub({ clock, log: silentLogger, open, reach, gatherMs: 0, stallMs: 1_000 })
    const matches = (_: string, collection: string) => collection === 'mine'
    const seat = new Seat(selection('p', ['d.mine', 'd.quiet']), matches, at(0))
    hub.sit(seat, true)
    const times: number[] = []
    for await (const { events } of seat) {
      times.push(...events.map(({ timestampMs }) => timestampMs / 1_000))
      if (times.length >= 70) break
    }
    hub.leave(seat)
    expect(times.slice(0, 70)).toEqual(Array.from({ length: 70 }, (_, i) => i + 1))
    expect(opened.slice(0, 5)).toEqual([
      [false, 0n],
      [true, 10n],
      [false, 30n],
      [true, 40n],
      [false, 60n],
    ])
  })

  it('says at any time among how many its batches are dealt out', async () => {
    const seen: number[] = []
    const open = (_: Opening, audience: Audience) => ({
      async *read(from: Position, signal: AbortSignal) {
        while (!signal.aborted) {
          seen.push(audience.readers)
          yield { events: [], position: from, bytes: 0, more: true }
          await new Promise(setImmediate)
        }
      },
    })
    const sleep = (ms: number) => (ms === 0 ? Promise.resolve() : new Promise<void>(() => {}))
    const clock: Clock = { nowMs: () => 0, sleep, random: () => 0 }
    const reach = { windowMs: 1_000, foreignPerSecond: 1, share: 0.5, narrowMs: 2_000, maxNarrowMs: 2_000 }
    const hub = new Hub({ clock, log: silentLogger, open, reach, gatherMs: 0, stallMs: 1_000 })
    const sit = (name: string) => {
      const seat = new Seat(selection(name, ['d.mine']), () => true, Position.ofTime(1n << 32n))
      hub.sit(seat, true)
      return seat
    }
    const until = async (count: number) => {
      while (seen.at(-1) !== count) await new Promise(setImmediate)
    }
    const first = sit('first')
    await until(1)
    const others = Array.from({ length: 3 }, (_, i) => sit(`other${i}`))
    await until(4)
    for (const seat of others) hub.leave(seat)
    await until(1)
    hub.leave(first)
    expect(new Set(seen)).toEqual(new Set([1, 4]))
  })
})
