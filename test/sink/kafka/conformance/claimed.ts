import { until } from './until.ts'

const prefix = 'claim '

/** A value that nobody else writes. */
export function newClaim(): string {
  return `${prefix}${crypto.randomUUID()}`
}

/**
 * The committed values of a partition to which `claim` was committed, without claims; `read` gives those up to the end
 * that a broker names, and is called again until the claim is among them.
 *
 * A broker that was stopped for longer than its session, or was only too busy to be heard, takes itself for the leader
 * that it was, and answers as of then without any error: a load would go on from an old position, and a judge find
 * changes missing that are there. What all in-sync replicas of its successor have acknowledged since it cannot show.
 */
export async function valuesWith(claim: string, read: () => Promise<readonly string[]>): Promise<readonly string[]> {
  let values: readonly string[] = []
  await until(async () => {
    values = await read()
    return values.includes(claim)
  }, `a leader that has "${claim}"`)
  return values.filter(value => !value.startsWith(prefix))
}
