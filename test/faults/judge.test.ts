import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cleanHistory, evidenceOf, replayedHistory } from './histories.ts'
import type { Seen } from './journal.ts'
import { judge, judgeCheckpoints } from './judge.ts'

const anywhere = fc.nat()
const at = (list: readonly Seen[], n: number): number => n % list.length
const check = <T>(property: fc.IProperty<T>) => fc.assert(property, { numRuns: 500 })

/** What the judge says of a history without duplicates whose log was changed. */
function broken(mutate: (seen: readonly Seen[], n: number) => readonly Seen[] | undefined, promise: RegExp): void {
  check(
    fc.property(cleanHistory, anywhere, (history, n) => {
      const seen = mutate(history.seen, n)
      fc.pre(seen !== undefined)
      const { violations } = judge(evidenceOf(history, seen))
      expect(violations.join('\n')).toMatch(promise)
    }),
  )
}

describe('the judge accepts', () => {
  test('every change once, in order, also where nothing may be repeated', () => {
    check(
      fc.property(cleanHistory, history => {
        expect(judge(evidenceOf(history, history.seen, 'none'))).toEqual({ violations: [], duplicates: 0 })
      }),
    )
  })

  test('replays from a checkpoint, and counts what they repeat', () => {
    check(
      fc.property(replayedHistory, history => {
        const { violations, duplicates } = judge(evidenceOf(history))
        expect(violations).toEqual([])
        expect(duplicates).toBe(history.seen.length - history.changes.length)
      }),
    )
  })

  test('replays, and a predecessor that sends late what it had in its buffers, where consumers go by position', () => {
    check(
      fc.property(replayedHistory, anywhere, anywhere, (history, n, m) => {
        const late = history.seen.slice(at(history.seen, n))
        const after = history.seen.length - late.length + (m % (late.length + 1))
        const seen = history.seen.toSpliced(Math.max(after, at(history.seen, n) + late.length), 0, ...late)
        const { violations, duplicates } = judge(evidenceOf(history, seen, 'by position'))
        expect(violations).toEqual([])
        expect(duplicates).toBe(seen.length - history.changes.length)
      }),
    )
  })

  test('a checkpoint behind which everything has arrived', () => {
    check(
      fc.property(cleanHistory, anywhere, (history, n) => {
        const cut = n % history.changes.length
        const saved = [{ pipeline: 'p', slot: 0, time: history.changes[cut]!.time }]
        const { journal } = evidenceOf(history)
        expect(judgeCheckpoints(journal, history.seen.slice(0, cut), saved, () => 0)).toEqual([])
      }),
    )
  })
})

describe('the judge catches', () => {
  test('a change that is not there', () => broken((seen, n) => seen.toSpliced(at(seen, n), 1), /G1|G2/))

  test('two changes of a document in the wrong order', () =>
    broken((seen, n) => {
      const first = at(seen, n)
      const second = seen.findIndex(({ key }, i) => i > first && key === seen[first]!.key)
      if (second < 0) return undefined
      return seen.with(first, seen[second]!).with(second, seen[first]!)
    }, /G2|G1/))

  test('a change that nobody wrote: another key, a later version, another operation, another document', () => {
    broken((seen, n) => seen.toSpliced(at(seen, n), 0, { ...seen[at(seen, n)]!, key: 'c/99' }), /G5/)
    broken((seen, n) => [...seen, { ...seen[at(seen, n)]!, version: 1_000 }], /G5/)
    broken((seen, n) => {
      const record = seen[at(seen, n)]!
      return seen.with(at(seen, n), { ...record, kind: record.kind === 'delete' ? 'update' : 'delete' })
    }, /G5/)
    broken((seen, n) => seen.with(at(seen, n), { ...seen[at(seen, n)]!, genuine: false }), /G5/)
  })

  test('a document in two partitions', () =>
    broken((seen, n) => {
      const record = seen[at(seen, n)]!
      if (seen.filter(({ key }) => key === record.key).length < 2) return undefined
      return seen.with(at(seen, n), { ...record, partition: 7 })
    }, /G2/))

  test('a replay that breaks off', () =>
    broken((seen, n) => {
      const record = seen[at(seen, n)]!
      const isLast = seen.findLast(({ key }) => key === record.key) === record
      return isLast ? undefined : [...seen, record]
    }, /G3/))

  test('a position that does not grow with the changes', () =>
    broken((seen, n) => {
      if (at(seen, n) === 0) return undefined
      const record = seen[at(seen, n)]!
      const earlier = seen.slice(0, at(seen, n)).some(({ partition }) => partition === record.partition)
      return earlier ? seen.with(at(seen, n), { ...record, position: '0' }) : undefined
    }, /G3/))

  test('any duplicate where none may be', () => {
    check(
      fc.property(cleanHistory, anywhere, (history, n) => {
        const seen = history.seen.toSpliced(at(history.seen, n), 0, history.seen[at(history.seen, n)]!)
        expect(judge(evidenceOf(history, seen, 'none')).violations.join('\n')).toMatch(/G4/)
      }),
    )
  })

  test('what a consumer by position would miss, or see twice', () => {
    check(
      fc.property(cleanHistory, anywhere, (history, n) => {
        const i = at(history.seen, n)
        const record = history.seen[i]!
        const judged = (seen: readonly Seen[]) => judge(evidenceOf(history, seen, 'by position')).violations.join('\n')
        expect(judged([...history.seen, { ...record, position: '99999999' }])).toMatch(/G4/)
        expect(judged(history.seen.with(i, { ...record, position: '' }))).toMatch(/G1|G2/)
        expect(judged(history.seen.toSpliced(i, 1))).toMatch(/G1|G2/)
      }),
    )
  })

  test('a change of a replayed history that is nowhere', () => {
    check(
      fc.property(replayedHistory, anywhere, (history, n) => {
        const { key, version } = history.changes[n % history.changes.length]!
        const seen = history.seen.filter(record => record.key !== key || record.version !== version)
        expect(judge(evidenceOf(history, seen)).violations).not.toEqual([])
      }),
    )
  })

  test('a collection that is not what the topic says', () => {
    check(
      fc.property(replayedHistory, anywhere, (history, n) => {
        const evidence = evidenceOf(history)
        const key = history.changes[n % history.changes.length]!.key
        const state = new Map(evidence.state)
        if (!state.delete(key)) state.set(key, 1)
        expect(judge({ ...evidence, state }).violations.join('\n')).toMatch(/G6/)
      }),
    )
  })

  test('a checkpoint that is one change ahead', () => {
    check(
      fc.property(cleanHistory, anywhere, (history, n) => {
        const cut = n % history.changes.length
        const saved = [{ pipeline: 'p', slot: 0, time: history.changes[cut]!.time + 1n }]
        const { journal } = evidenceOf(history)
        const found = judgeCheckpoints(journal, history.seen.slice(0, cut), saved, () => 0)
        expect(found).toHaveLength(1)
        expect(found[0]).toMatch(/^G1: the checkpoint of p\/0/)
      }),
    )
  })
})
