import { expect, it } from 'vitest'
import { Position } from '../../src/position.ts'
import type { RawBatch } from '../../src/source/reader.ts'
import { earliest, Seat } from '../../src/source/seat.ts'
import { selection } from './lab.ts'

const at = (time: number) => Position.ofTime(BigInt(time))
const mark = (time: number): RawBatch => ({ events: [], position: at(time), bytes: 0, more: false })

it('tells a pipeline without events its position now and then, always the last', async () => {
  const seat = new Seat(selection('p', ['d.*']), () => true, at(0))
  const heard: bigint[] = []
  const reading = (async () => {
    for await (const { position } of seat) heard.push(position.clusterTime)
  })()
  for (let time = 1; time <= 35; time++) {
    seat.deal(undefined, mark(time), time * 50)
    expect(seat.position.clusterTime).toBe(BigInt(time))
    await new Promise(setImmediate)
  }
  seat.close()
  await reading
  expect(heard).toEqual([1n, 11n, 21n, 31n])
})

it('is not silent for long when the clock is set back', () => {
  const seat = new Seat(selection('p', ['d.*']), () => true, at(0))
  seat.deal(undefined, mark(1), 1_000_000)
  seat.deal(undefined, mark(2), 5)
  seat.deal(undefined, mark(3), 505)
  seat.close()
  expect(seat.full).toBe(false)
  expect(seat.position.clusterTime).toBe(3n)
})

it('keeps a position that is ahead of the stream', async () => {
  const seat = new Seat(selection('p', ['d.*']), () => true, at(9))
  seat.deal(undefined, mark(5), 0)
  seat.close()
  const batches = await Array.fromAsync(seat)
  expect(batches.map(({ position }) => position.clusterTime)).toEqual([9n])
})

it('drops what waits when its pipeline leaves', async () => {
  const seat = new Seat(selection('p', ['d.*']), () => true, at(0))
  seat.deal(undefined, mark(1), 0)
  expect(seat.hungry).toBe(false)
  seat.abandon()
  expect(await Array.fromAsync(seat)).toEqual([])
  expect([seat.full, seat.hungry]).toEqual([false, false])
})

it('is one of many, of which the earliest counts', () => {
  const seats = [3, 1, 2].map(time => new Seat(selection('p', ['d.*']), () => true, at(time)))
  expect(earliest(seats)?.clusterTime).toBe(1n)
  expect(earliest([])).toBeUndefined()
})
