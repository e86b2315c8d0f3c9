import type { Lease } from '../../src/lease.ts'
import { assign, type Candidate } from '../../src/workers/assignment.ts'
import type { Group, JoinedMember, Standing } from '../../src/workers/group.ts'
import { type Claim, readClaim, writeClaim, writeDecision } from '../../src/workers/messages.ts'
import { type Mutant, sessionTimeoutMs } from './world.ts'

/** Joins with another claim than it has. */
function claiming(change: (claim: Claim) => Claim): Mutant {
  return {
    group: group => ({
      ...group,
      join: (memberId, metadata, signal) => group.join(memberId, writeClaim(change(readClaim(metadata))), signal),
    }),
  }
}

/** Hears something else than the coordinator said. */
function hearing(change: (standing: Standing) => Standing): Mutant {
  return {
    group: group => ({ ...group, heartbeat: async (member, signal) => change(await group.heartbeat(member, signal)) }),
  }
}

/** A leader that gives every slot to whom it belongs, whoever works on it. */
function inOneRound(group: Group): Group {
  let led: readonly JoinedMember[] = []
  return {
    ...group,
    async join(memberId, metadata, signal) {
      const answer = await group.join(memberId, metadata, signal)
      if (answer.outcome === 'joined') led = answer.members ?? []
      return answer
    },
    sync(member, assignments, signal) {
      const candidates: Candidate[] = led.map(({ memberId, metadata }) => ({ memberId, ...readClaim(metadata) }))
      const { wanted } = assign(slotsIn(assignments), candidates, new Map())
      const decide = (memberId: string) => writeDecision({ owned: wanted.get(memberId) ?? [], workers: [], pauses: {} })
      return group.sync(member, new Map(led.map(({ memberId }) => [memberId, decide(memberId)])), signal)
    },
  }
}

/** As many as any decision or claim has ever named: enough for a mutant. */
function slotsIn(assignments: ReadonlyMap<string, Buffer>): number {
  const named = [...assignments.values()].flatMap(bytes => bytes.toString().match(/\d+/g) ?? [])
  return Math.min(9, 1 + Math.max(0, ...named.map(Number).filter(number => number < 9)))
}

/** Takes the newest good heartbeat for a confirmation, though it was sent before the question. */
function confirmingByOldHeartbeats(): Mutant {
  const goodAtMs = new Map<object, number>()
  return {
    group: (group, process) => ({
      ...group,
      async heartbeat(member, signal) {
        const sentAtMs = process.nowMs()
        const standing = await group.heartbeat(member, signal)
        if (standing === 'member' || standing === 'rebalance') goodAtMs.set(process, sentAtMs)
        return standing
      },
    }),
    holder: (holder, process) => ({
      take(slots, lease) {
        const old: Lease = {
          ...(lease.lost && { lost: lease.lost }),
          confirm: async signal => {
            if (process.nowMs() - (goodAtMs.get(process) ?? 0) < 10 * sessionTimeoutMs) return
            await lease.confirm(signal)
          },
        }
        holder.take(slots, old)
      },
      release: (slots, occasion) => holder.release(slots, occasion),
    }),
  }
}

/** Each does one thing wrong that a test without faults would not notice. */
export const mutants: Readonly<Record<string, () => Mutant>> = {
  'joins without a slot before nothing of it is in flight': () => ({
    holder: holder => ({
      take: (slots, lease) => holder.take(slots, lease),
      async release(slots, occasion) {
        void holder.release(slots, occasion)
      },
    }),
  }),
  'hands over in one round': () => ({ group: inOneRound }),
  'takes what is being given back for free': () => claiming(claim => ({ ...claim, releasing: [] })),
  'claims nothing when it joins again': () => claiming(claim => ({ ...claim, owned: [], generation: -1 })),
  'confirms by an old heartbeat': confirmingByOldHeartbeats,
  'does not hear that there is a rebalance': () =>
    hearing(standing => (standing === 'rebalance' ? 'member' : standing)),
  'is put out of a rebalance before its session ends': () => ({ rebalanceTimeoutMs: sessionTimeoutMs }),
  'goes on without heartbeats': () => ({
    process(process) {
      const sleep = process.sleep.bind(process)
      process.sleep = (ms, signal) => (ms === sessionTimeoutMs ? sleep(1e9, signal) : sleep(ms, signal))
    },
  }),
}
