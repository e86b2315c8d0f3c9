/** A member of a generation, as the leader sees it. */
export interface Candidate {
  readonly memberId: string
  readonly name: string
  readonly owned: readonly number[]
  readonly releasing: readonly number[]
  readonly generation: number
  readonly leaving: boolean
}

/** Who gets what, by member id, ascending. `now` is what `wanted` comes to while others still work on their slots. */
export interface Assignment {
  readonly now: ReadonlyMap<string, readonly number[]>
  readonly wanted: ReadonlyMap<string, readonly number[]>
}

/**
 * Shares out slots 0 to `slots` - 1: balanced to within one slot, with as few as possible that move, and in two rounds,
 * as KIP-429 does. A slot that is to move is given to nobody in this round; when its owner has joined again without it,
 * the next round gives it to the new one. So no round ever gives a slot to a member while another one works on it.
 *
 * `before`: by slot, the name that had it last; a free slot goes back to that name if it can. The same input always
 * gives the same output, in whatever order the candidates stand.
 */
export function assign(
  slots: number,
  candidates: readonly Candidate[],
  before: ReadonlyMap<number, string>,
): Assignment {
  const claimed = claims(slots, candidates)
  const wanted = share(slots, candidates, claimed.working, before)
  const now = new Map<string, readonly number[]>()
  for (const [memberId, list] of wanted) {
    const mayHave = (slot: number) => {
      const holder = claimed.held.get(slot)
      return holder === undefined ? !claimed.blocked.has(slot) : holder === memberId
    }
    now.set(memberId, list.filter(mayHave))
  }
  return { now, wanted }
}

interface Claims {
  /** Who works on the slot and would keep it. */
  readonly working: ReadonlyMap<number, string>
  /** The same, and those who are leaving. */
  readonly held: ReadonlyMap<number, string>
  /** Somebody is giving it back. */
  readonly blocked: ReadonlySet<number>
}

/** Of two who claim one slot the later generation is right; the other is told to give it back, and it stays where it is. */
function claims(slots: number, candidates: readonly Candidate[]): Claims {
  const byAge = [...candidates].sort((a, b) => b.generation - a.generation || compare(a.memberId, b.memberId))
  const working = new Map<number, string>()
  const held = new Map<number, string>()
  const blocked = new Set<number>()
  for (const { memberId, owned, releasing, leaving } of byAge) {
    for (const slot of releasing) blocked.add(slot)
    for (const slot of owned) {
      if (slot >= slots || held.has(slot)) continue
      held.set(slot, memberId)
      if (!leaving) working.set(slot, memberId)
    }
  }
  return { working, held, blocked }
}

/** Everything to somebody, as if slots could move at once. */
function share(
  slots: number,
  candidates: readonly Candidate[],
  working: ReadonlyMap<number, string>,
  before: ReadonlyMap<number, string>,
): Map<string, number[]> {
  const counts = new Map<string, number>()
  for (const owner of working.values()) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  const count = (memberId: string) => counts.get(memberId) ?? 0
  // Who has most may keep the one more: then it does not move.
  const takers = candidates
    .filter(({ leaving }) => !leaving)
    .sort((a, b) => count(b.memberId) - count(a.memberId) || compare(a.name, b.name) || compare(a.memberId, b.memberId))
  const wanted = new Map<string, number[]>(takers.map(({ memberId }) => [memberId, []]))
  if (takers.length === 0) return wanted
  const least = Math.floor(slots / takers.length)
  const withOneMore = slots % takers.length
  const quota = new Map(takers.map(({ memberId }, index) => [memberId, least + (index < withOneMore ? 1 : 0)]))
  const offer = (slot: number, memberId: string | undefined): boolean => {
    const list = memberId === undefined ? undefined : wanted.get(memberId)
    if (memberId === undefined || list === undefined || list.length >= (quota.get(memberId) ?? 0)) return false
    list.push(slot)
    return true
  }
  const byName = new Map(takers.map(({ name, memberId }) => [name, memberId]))
  const formerOwner = (slot: number) => byName.get(before.get(slot) ?? '')
  const all = Array.from({ length: slots }, (_, slot) => slot)
  const free = all.filter(slot => !offer(slot, working.get(slot)))
  const homeless = free.filter(slot => !offer(slot, formerOwner(slot)))
  for (const slot of homeless) takers.some(({ memberId }) => offer(slot, memberId))
  for (const list of wanted.values()) list.sort((a, b) => a - b)
  return wanted
}

/** By UTF-16 code units, the same everywhere; a locale's order is not. */
function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
