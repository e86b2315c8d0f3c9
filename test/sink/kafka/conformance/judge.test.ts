import { describe, expect, it } from 'vitest'
import { Judge } from './judge.ts'

function judged(...numbers: number[]) {
  const judge = new Judge(new Map([['k', 5]]))
  for (const number of numbers) judge.see('k', number)
  return judge.verdict
}

const fine = { records: 5, lost: 0, duplicated: 0, outOfOrder: 0, foreign: 0 }

describe('the judge of numbered records', () => {
  it.each([
    ['all in order', [0, 1, 2, 3, 4], fine],
    ['one lost', [0, 1, 3, 4], { ...fine, records: 4, lost: 1, outOfOrder: 1 }],
    ['the end lost', [0, 1, 2], { ...fine, records: 3, lost: 2 }],
    ['one twice', [0, 1, 1, 2, 3, 4], { ...fine, records: 6, duplicated: 1 }],
    ['a replayed suffix', [0, 1, 2, 1, 2, 3, 4], { ...fine, records: 7, duplicated: 2 }],
    ['a replay with a gap', [0, 1, 2, 0, 2, 3, 4], { ...fine, records: 7, duplicated: 2, outOfOrder: 1 }],
    ['two exchanged', [0, 2, 1, 3, 4], { ...fine, outOfOrder: 3 }],
    ['one that nobody sent', [0, 1, 2, 3, 4, 5], { ...fine, records: 6, foreign: 1 }],
  ])('%s', (_name, numbers, verdict) => {
    expect(judged(...numbers)).toEqual(verdict)
  })

  it('an unknown key', () => {
    const judge = new Judge(new Map())
    judge.see('k', 0)
    expect(judge.verdict).toEqual({ ...fine, records: 1, foreign: 1 })
  })
})
