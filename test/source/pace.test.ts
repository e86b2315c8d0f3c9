import { beforeEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { Position } from '../../src/position.ts'
import { Pace } from '../../src/source/pace.ts'
import { Seat } from '../../src/source/seat.ts'
import { eventAt, turns } from './hub-model.ts'
import { selection } from './lab.ts'

/** Time passes when a test says so; who sleeps then wakes. */
class Hand implements Clock {
  #nowMs = 0
  readonly #sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>()
  random = () => 0
  nowMs = () => this.#nowMs

  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      this.#sleepers.add({ untilMs: this.#nowMs + ms, wake: resolve })
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms
    for (const { untilMs, wake } of this.#sleepers) if (untilMs <= this.#nowMs) wake()
    await turns(2)
  }
}

const never = new AbortController().signal
let hand: Hand
let pace: Pace
let seats: Set<Seat>
let evicted: Seat[]
const evict = (seat: Seat) => {
  seats.delete(seat)
  evicted.push(seat)
  seat.close()
}
const seatOf = (pipeline: string) => new Seat(selection(pipeline, ['d.a']), () => true, Position.ofTime(0n))
const fill = (seat: Seat) => {
  for (const time of [1, 2]) seat.offer({ events: [eventAt(time, 'a')], position: seat.position, bytes: 1, more: true })
}
/** Takes all that waits. */
const drain = async (seat: Seat) => {
  const batches = seat[Symbol.asyncIterator]()
  while (!seat.hungry) await batches.next()
}

beforeEach(() => {
  hand = new Hand()
  pace = new Pace(hand, 10_000)
  evicted = []
})

describe('the pace of a stream', () => {
  it('is that of a seat that is a little slow', async () => {
    const [slow, quick] = [seatOf('slow'), seatOf('quick')]
    seats = new Set([slow, quick])
    for (let i = 0; i < 200; i++) {
      fill(slow)
      let has = false
      const room = pace.room(seats, evict, never).then(() => {
        has = true
      })
      await hand.pass(400)
      expect(has).toBe(false)
      await drain(slow)
      await room
    }
    expect(evicted).toEqual([])
  })

  it('is not that of one which takes long for every batch, over and over, while others wait', async () => {
    const [slow, quick] = [seatOf('slow'), seatOf('quick')]
    seats = new Set([slow, quick])
    let rounds = 0
    for (; evicted.length === 0 && rounds < 100; rounds++) {
      fill(slow)
      const room = pace.room(seats, evict, never)
      await hand.pass(2_000)
      if (evicted.length === 0) await drain(slow)
      await room
    }
    expect(evicted).toEqual([slow])
    // Each time 1.5 s beyond the grace are held against it, and 10 % of 2 s are forgiven.
    expect(rounds).toBe(8)
  })

  it('is, where nobody else waits', async () => {
    const slow = seatOf('slow')
    seats = new Set([slow])
    for (let i = 0; i < 50; i++) {
      fill(slow)
      const room = pace.room(seats, evict, never)
      await hand.pass(9_000)
      await drain(slow)
      await room
    }
    expect(evicted).toEqual([])
  })

  it('waits for nobody who takes nothing for too long, nor after the end', async () => {
    const stuck = seatOf('stuck')
    seats = new Set([stuck])
    fill(stuck)
    const room = pace.room(seats, evict, never)
    await hand.pass(9_999)
    expect(evicted).toEqual([])
    await hand.pass(1)
    await room
    expect(evicted).toEqual([stuck])
    const other = seatOf('other')
    seats = new Set([other])
    fill(other)
    const stop = new AbortController()
    const ended = pace.room(seats, evict, stop.signal)
    stop.abort()
    await ended
    expect(evicted).toEqual([stuck])
  })
})
