import { expect, it } from 'vitest'
import { Turns } from '../../../../src/sink/kafka/reading/turns.ts'

it('lets so many work at a time, in call order, whatever becomes of the others', async () => {
  const turns = new Turns(2)
  const works = Array.from({ length: 5 }, () => Promise.withResolvers<number>())
  const begun: number[] = []
  const results = works.map(({ promise }, i) =>
    turns.take(() => {
      begun.push(i)
      return promise
    }),
  )
  const settled = Promise.allSettled(results)
  expect(begun).toEqual([0, 1])
  works[1]!.reject(new Error('failed'))
  await expect(results[1]).rejects.toThrow('failed')
  works[0]!.resolve(0)
  expect(await results[0]).toBe(0)
  await new Promise(resolve => setImmediate(resolve))
  expect(begun).toEqual([0, 1, 2, 3])
  for (const { resolve } of works) resolve(7)
  await settled
  expect(begun).toEqual([0, 1, 2, 3, 4])
})
