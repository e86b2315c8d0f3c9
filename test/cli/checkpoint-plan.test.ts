import { describe, expect, test } from 'vitest'
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { changed, movedTo, placeOf, planText, type StoredSlot } from '../../src/cli/checkpoint-plan.ts'
import { Position } from '../../src/position.ts'
import { sample } from '../checkpoint/sample.ts'

const origin = {
  deployment: 'shop',
  cluster: 'replicaSet:rs0/1',
  filterHash: (pipeline: string) => `hash of ${pipeline}`,
}
const atMs = 1_700_000_000_000

function stored(pipeline: string, slot: number, changes?: Partial<Checkpoint>): StoredSlot {
  const checkpoint = changes && sample({ pipeline, slot, ...changes })
  return { pipeline, slot, checkpoint }
}

test('a place is just before the first change of its second', () => {
  expect(placeOf(atMs + 999).toJSON()).toEqual(placeOf(atMs).toJSON())
  expect(placeOf(atMs)).toMatchObject({ kind: 'time', timeMs: atMs })
  expect(placeOf(atMs).clusterTime & 0xffffffffn).toBe(0n)
  expect(placeOf(Date.parse('2999-01-01')).clusterTime).toBe(0xffffffffn << 32n)
  expect(placeOf(Date.parse('1900-01-01')).clusterTime).toBe(0n)
})

describe('moved checkpoints', () => {
  test('keep what belongs to the slot, with a later epoch and generation', () => {
    const before = stored('orders', 0, { epoch: 7, generation: 2, partitions: { t: 12 }, ends: { t: [5] } })
    const [moved] = movedTo(placeOf(atMs), [before], origin, 99)
    expect(moved).toEqual({
      ...before.checkpoint,
      epoch: 8,
      generation: 3,
      position: placeOf(atMs).toJSON(),
      savedAtMs: 99,
    })
  })

  test('give a slot that was never saved the cluster, the hash and the partition counts of its pipeline', () => {
    const slots = [stored('orders', 0, { partitions: { t: 12 } }), stored('orders', 1), stored('users', 0)]
    const moved = movedTo(placeOf(atMs), slots, origin, 99)
    expect(moved[1]).toMatchObject({ epoch: 1, cluster: origin.cluster, partitions: { t: 12 }, ends: {} })
    expect(moved[2]).toMatchObject({ filterHash: 'hash of users', generation: 0, partitions: {} })
  })

  test('have one generation on all slots of a pipeline, later than any of them had', () => {
    const slots = [
      stored('a', 0, { generation: 1 }),
      stored('a', 1, { generation: 4 }),
      stored('b', 0, { generation: 0 }),
    ]
    expect(movedTo(placeOf(atMs), slots, origin, 99).map(({ generation }) => generation)).toEqual([5, 5, 1])
  })
})

test('the plan says what happens to whom', () => {
  const hour = 3_600_000
  const at = (ms: number) => ({ position: placeOf(ms).toJSON(), generation: 0 })
  const slots = [stored('back', 0, at(atMs + 2 * hour)), stored('ahead', 0, at(atMs - 3 * hour)), stored('new', 0)]
  const text = planText(placeOf(atMs), slots, movedTo(placeOf(atMs), slots, origin, 0))
  expect(text).toBe(`PIPELINE  SLOT  FROM                  TO                    GENERATION  EFFECT
back      0     2023-11-15T00:13:20Z  2023-11-14T22:13:20Z  0 -> 1      2.0 h back: the changes since then are sent again
ahead     0     2023-11-14T19:13:20Z  2023-11-14T22:13:20Z  0 -> 1      3.0 h forward: THE CHANGES BETWEEN ARE NEVER SENT
new       0     none                  2023-11-14T22:13:20Z  – -> 0      starts there
`)
})

test('the plan does not call a step within a second none', () => {
  const slots = [stored('a', 0, { position: placeOf(atMs).toJSON() })]
  const to = Position.ofTime(placeOf(atMs).clusterTime + 1n)
  expect(planText(to, slots, movedTo(to, slots, origin, 0))).toContain('less than 1 s forward: THE CHANGES')
})

test('a worker at work shows by any change of a checkpoint', () => {
  const before = [stored('a', 0, {}), stored('a', 1)]
  expect(changed(before, [stored('a', 0, {}), stored('a', 1)])).toBeUndefined()
  expect(changed(before, [stored('a', 0, { savedAtMs: 1 }), stored('a', 1)])?.slot).toBe(0)
  expect(changed(before, [stored('a', 0, {}), stored('a', 1, {})])?.slot).toBe(1)
})
