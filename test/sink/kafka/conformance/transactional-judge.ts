/** What readers of committed transactions see of one load. */
export interface CommittedLog {
  /** Up to which number its commits were acknowledged. */
  readonly acknowledged: number
  /** The last one that is there. */
  readonly position: number
  /** The load's numbers in each partition, in the order of the log. Number n belongs to partition n modulo their count. */
  readonly numbers: readonly (readonly number[])[]
}

/** Of a list in a message. */
const longestList = 10

/**
 * What is wrong, one line for each kind of fault and partition; nothing where every number below the position stands in
 * its partition once, in order, and the position is not behind what was acknowledged.
 */
export function faultsOf({ acknowledged, position, numbers }: CommittedLog): string[] {
  const behind = position < acknowledged ? [`${acknowledged} was acknowledged, the position is ${position}`] : []
  const found = numbers.flatMap((_, partition) =>
    Object.entries(kindsOf({ position, numbers }, partition))
      .filter(([, wrong]) => wrong.length > 0)
      .map(([kind, wrong]) => `partition ${partition}: ${kind}: ${listed(wrong)}`),
  )
  return [...behind, ...found]
}

/** The numbers that are wrong in any way, and the first that the position does not cover. */
export function suspectsOf(log: CommittedLog): ReadonlySet<number> {
  const wrong = log.numbers.flatMap((_, partition) => Object.values(kindsOf(log, partition)).flat())
  return new Set([...wrong, log.position])
}

/** The numbers of one partition that are wrong, by what is wrong with them. */
function kindsOf(
  { position, numbers }: Pick<CommittedLog, 'position' | 'numbers'>,
  partition: number,
): Readonly<Record<string, readonly number[]>> {
  const list = numbers[partition]!
  const isOurs = (n: number) => n >= 0 && n % numbers.length === partition
  const expected = Array.from({ length: position }, (_, n) => n).filter(isOurs)
  const ours = list.filter(isOurs)
  const firsts = [...new Set(ours)]
  return {
    missing: expected.filter(n => !firsts.includes(n)),
    'above the position': firsts.filter(n => n >= position),
    repeated: ours.filter((n, at) => ours.indexOf(n) < at),
    'behind a later one': firsts.filter((n, at) => n < (firsts[at - 1] ?? n)),
    'never sent there': list.filter(n => !isOurs(n)),
  }
}

function listed(list: readonly number[]): string {
  const rest = list.length > longestList ? ` and ${list.length - longestList} more` : ''
  return `${list.slice(0, longestList).join(' ')}${rest}`
}
