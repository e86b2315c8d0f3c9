import { expect, it } from 'vitest'
import { Writes } from '../../src/pipeline/writes.ts'

it('has settled where nothing is under way', async () => {
  await expect(new Writes().settled).resolves.toBeUndefined()
})

it('settles with the last write, for all who wait', async () => {
  const writes = new Writes()
  for (let i = 0; i < 3; i++) writes.began()
  writes.ended()
  const seen: string[] = []
  const waiting = [1, 2].map(who => writes.settled.then(() => seen.push(`settled ${who}`)))
  await new Promise(setImmediate)
  writes.ended()
  await new Promise(setImmediate)
  expect(seen).toEqual([])
  writes.ended()
  await Promise.all(waiting)
  expect(seen).toEqual(['settled 1', 'settled 2'])
})
