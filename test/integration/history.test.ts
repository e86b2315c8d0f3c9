import { describe, expect, test } from 'vitest'
import { judgeHistory, type Seen } from './history.ts'

const written = new Map([
  ['a', ['v1', 'v2', 'v3']],
  ['b', ['v4', 'v5']],
])
const all: readonly Seen[] = ['a v1', 'a v2', 'b v4', 'a v3', 'b v5'].map(text => {
  const [document = '', change = ''] = text.split(' ')
  return { document, change, partition: document === 'a' ? 0 : 1 }
})
const judge = (seen: readonly Seen[], mayReplay = true) => judgeHistory(written, seen, mayReplay).violations.join('; ')

describe('the judge itself', () => {
  test('passes a whole history, and a replayed suffix where one may be', () => {
    expect(judge(all, false)).toBe('')
    expect(judgeHistory(written, [...all, ...all.slice(1)], true)).toEqual({ violations: [], duplicates: 4 })
  })

  test.each<[string, readonly Seen[], string]>([
    ['a lost change', all.toSpliced(1, 1), 'G2: a jumps to v3'],
    ['a lost end', all.slice(0, -1), 'G1: b ends at change 1 of 2'],
    ['a swap', [all[1]!, all[0]!, ...all.slice(2)], 'G2: a jumps to v2'],
    ['a phantom', [...all, { document: 'a', change: 'v9', partition: 0 }], 'G5: a never was v9'],
    ['another partition', [...all.slice(0, -1), { ...all[4]!, partition: 2 }], 'G2: b is in partitions 1, 2'],
    ['a replay that breaks off', [...all, all[0]!], 'G1: a ends at change 1 of 3'],
  ])('catches %s', (_name, seen, violation) => {
    expect(judge(seen)).toContain(violation)
  })

  test('catches a duplicate after a clean stop', () => {
    expect(judge([...all, all[4]!], false)).toContain('G3: b repeats v5')
  })
})
