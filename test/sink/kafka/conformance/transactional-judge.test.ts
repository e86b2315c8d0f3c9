import { describe, expect, it } from 'vitest'
import { newClaim, valuesWith } from './claimed.ts'
import { around } from './raw-log.ts'
import { type CommittedLog, faultsOf, suspectsOf } from './transactional-judge.ts'

const longList = 'partition 1: missing: 1 3 5 7 9 11 13 15 17 19 and 2 more'
const whole: CommittedLog = {
  acknowledged: 6,
  position: 6,
  numbers: [
    [0, 2, 4],
    [1, 3, 5],
  ],
}

/** With other numbers in partition 1. */
function second(...numbers: number[]): CommittedLog {
  return { ...whole, numbers: [whole.numbers[0]!, numbers] }
}

describe('the judge of numbers that were committed in transactions', () => {
  it.each<[string, CommittedLog, string[]]>([
    ['all in order', whole, []],
    ['more than was acknowledged: the answer was lost', { ...whole, acknowledged: 4 }, []],
    ['nothing at all', { acknowledged: 0, position: 0, numbers: [[], []] }, []],
    ['a position that was lost', { ...whole, acknowledged: 7 }, ['7 was acknowledged, the position is 6']],
    ['one lost', second(1, 5), ['partition 1: missing: 3']],
    ['the end lost', second(1), ['partition 1: missing: 3 5']],
    ['a record without its position', second(1, 3, 5, 7), ['partition 1: above the position: 7']],
    ['one twice', second(1, 3, 3, 5), ['partition 1: repeated: 3']],
    ['a replay', second(1, 3, 1, 3, 5), ['partition 1: repeated: 1 3']],
    ['two exchanged', second(1, 5, 3), ['partition 1: behind a later one: 3']],
    ['in the wrong partition', second(1, 2, 3, 5), ['partition 1: never sent there: 2']],
    ['nothing that was sent', second(1, 3, 5, Number.NaN), ['partition 1: never sent there: NaN']],
    ['a long list', { ...second(), acknowledged: 0, position: 24, numbers: [evenTo(24), []] }, [longList]],
  ])('%s', (_name, log, faults) => {
    expect(faultsOf(log)).toEqual(faults)
  })

  it('names the numbers to look for in the log', () => {
    expect(suspectsOf(whole)).toEqual(new Set([6]))
    expect(suspectsOf(second(1, 1, 5, 7))).toEqual(new Set([1, 3, 6, 7]))
  })

  it('shows what stands around them, and the end', () => {
    const lines = Array.from({ length: 30 }, (_, n) => `line ${n}`)
    const shown = around(lines, line => line === 'line 10').map(line => Number(line.slice(5)))
    expect(shown).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 25, 26, 27, 28, 29])
  })
})

describe('what stands in a partition with a claim', () => {
  it('is not what a former leader says', async () => {
    const claims = [newClaim(), newClaim()]
    const answers = [['0'], ['0', claims[0]!, '6'], ['0', claims[0]!, '6', claims[1]!, '12']]
    let asked = 0
    const read = async () => answers[asked++]!
    expect(await valuesWith(claims[1]!, read)).toEqual(['0', '6', '12'])
    expect(asked).toBe(3)
  })
})

function evenTo(end: number): number[] {
  return Array.from({ length: end / 2 }, (_, i) => 2 * i)
}
