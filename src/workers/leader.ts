import type { Logger } from '../log.ts'
import { assign, type Candidate } from './assignment.ts'
import type { JoinedMember } from './group.ts'
import { type Claim, type Decision, readClaim, writeDecision } from './messages.ts'
import { merged } from './pauses.ts'

/**
 * Decides who gets which slots. `last`: what is known of the round before, by which a worker that comes back gets what
 * it had. A member whose claim cannot be read gets nothing.
 */
export function decide(
  slots: number,
  members: readonly JoinedMember[],
  last: Decision['workers'],
  log: Logger,
): ReadonlyMap<string, Buffer> {
  const claims = new Map<string, Claim>()
  for (const { memberId, metadata } of members) {
    try {
      claims.set(memberId, readClaim(metadata))
    } catch (error) {
      log.warn({ member: memberId, error }, 'a member of the worker group claims slots in a way that cannot be read')
    }
  }
  const candidates: Candidate[] = [...claims].map(([memberId, claim]) => ({ memberId, ...claim }))
  const { now } = assign(slots, candidates, namesBySlot(last))
  const ownedBy = (memberId: string) => now.get(memberId) ?? []
  const workers = [...claims].map(([memberId, { name, busy }]) => ({
    name,
    owned: ownedBy(memberId),
    ...(busy && { busy }),
  }))
  workers.sort((a, b) => (a.name < b.name ? -1 : 1))
  const pauses = merged([...claims.values()].map(claim => claim.pauses))
  return new Map(
    members.map(({ memberId }) => [memberId, writeDecision({ owned: ownedBy(memberId), workers, pauses })]),
  )
}

function namesBySlot(workers: Decision['workers']): Map<number, string> {
  return new Map(workers.flatMap(({ name, owned }) => owned.map(slot => [slot, name] as const)))
}
