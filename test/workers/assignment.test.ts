import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assign, type Candidate } from '../../src/workers/assignment.ts'

const longest = 40

/** Members whose claims exclude each other, as those of honest members do. */
const situations = fc
  .record({
    slots: fc.integer({ min: 1, max: longest }),
    members: fc.integer({ min: 1, max: 12 }),
    // Who claims each slot: nobody, or one of the members, who may be giving it back.
    claims: fc.array(fc.record({ of: fc.integer({ min: -3, max: 11 }), releasing: fc.boolean() }), {
      minLength: longest,
      maxLength: longest,
    }),
    leaving: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    before: fc.array(fc.integer({ min: -1, max: 14 }), { minLength: longest, maxLength: longest }),
  })
  .map(({ slots, members, claims, leaving, before }) => {
    const claimed = (member: number, releasing: boolean) =>
      claims
        .slice(0, slots)
        .flatMap((claim, slot) => (claim.of === member && claim.releasing === releasing ? [slot] : []))
    const candidates: Candidate[] = Array.from({ length: members }, (_, i) => ({
      memberId: `id-${i}`,
      name: `name-${i}`,
      owned: claimed(i, false),
      releasing: claimed(i, true),
      generation: 5,
      leaving: i > 0 && (leaving[i] ?? false), // One at least stays.
    }))
    const names = before.slice(0, slots).map((name, slot) => [slot, `name-${name}`] as const)
    return { slots, candidates, before: new Map(names) }
  })

function given(assignment: ReadonlyMap<string, readonly number[]>): number[] {
  return [...assignment.values()].flat().sort((a, b) => a - b)
}

describe('assignment of slots', () => {
  it('wants every slot with exactly one member, and nobody more than one above another', () => {
    fc.assert(
      fc.property(situations, ({ slots, candidates, before }) => {
        const { wanted } = assign(slots, candidates, before)
        expect(given(wanted)).toEqual(Array.from({ length: slots }, (_, slot) => slot))
        const counts = [...wanted.values()].map(list => list.length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
        expect([...wanted.keys()].sort()).toEqual(
          candidates
            .filter(c => !c.leaving)
            .map(c => c.memberId)
            .sort(),
        )
      }),
    )
  })

  it('moves as few as balance allows', () => {
    fc.assert(
      fc.property(situations, ({ slots, candidates, before }) => {
        const { wanted } = assign(slots, candidates, before)
        const staying = candidates.filter(({ leaving }) => !leaving)
        const kept = staying.map(
          ({ memberId, owned }) => owned.filter(slot => wanted.get(memberId)?.includes(slot)).length,
        )
        // The best that any balanced assignment can do: the largest shares to those who own most.
        const least = Math.floor(slots / staying.length)
        const byOwned = staying.map(({ owned }) => owned.length).sort((a, b) => b - a)
        const best = byOwned.map((count, i) => Math.min(count, least + (i < slots % staying.length ? 1 : 0)))
        expect(sum(kept)).toBe(sum(best))
      }),
    )
  })

  it('gives nobody a slot that somebody else works on, and takes back only what is to move', () => {
    fc.assert(
      fc.property(situations, ({ slots, candidates, before }) => {
        const { now, wanted } = assign(slots, candidates, before)
        for (const [memberId, list] of now) {
          const others = candidates.filter(other => other.memberId !== memberId)
          const busy = new Set(
            candidates.flatMap(({ releasing }) => releasing).concat(others.flatMap(({ owned }) => owned)),
          )
          expect(list.filter(slot => busy.has(slot))).toEqual([])
          const free = (wanted.get(memberId) ?? []).filter(slot => !busy.has(slot))
          expect(list).toEqual(free)
        }
      }),
    )
  })

  it('comes to rest: when all have given back what they were to, the next round gives all that is wanted', () => {
    fc.assert(
      fc.property(situations, ({ slots, candidates, before }) => {
        const first = assign(slots, candidates, before)
        const staying = candidates.filter(({ leaving }) => !leaving)
        const next = (owners: ReadonlyMap<string, readonly number[]>) =>
          staying.map(member => ({ ...member, owned: owners.get(member.memberId) ?? [], releasing: [] }))
        const second = assign(slots, next(first.now), before)
        expect(given(second.now)).toEqual(Array.from({ length: slots }, (_, slot) => slot))
        const third = assign(slots, next(second.now), before)
        expect(third.now).toEqual(second.now)
      }),
    )
  })

  it('does not depend on the order of the members', () => {
    fc.assert(
      fc.property(situations, fc.integer(), ({ slots, candidates, before }, turn) => {
        const at = ((turn % candidates.length) + candidates.length) % candidates.length
        const turned = [...candidates.slice(at), ...candidates.slice(0, at)].reverse()
        expect(new Map(assign(slots, turned, before).now)).toEqual(new Map(assign(slots, candidates, before).now))
      }),
    )
  })

  const member = (name: string, owned: readonly number[], more: Partial<Candidate> = {}): Candidate => ({
    ...{ memberId: `id-${name}`, name, owned, releasing: [], generation: 1, leaving: false },
    ...more,
  })

  it('gives a free slot back to the name that had it', () => {
    const before = new Map([0, 1, 2, 3].map(slot => [slot, slot % 2 === 0 ? 'b' : 'a']))
    const { now } = assign(4, [member('a', []), member('b', [])], before)
    expect(now).toEqual(new Map([['id-a', [1, 3]], ['id-b', [0, 2]]])) // biome-ignore format: one line a member is no clearer.
  })

  it('believes the later of two claims', () => {
    const { now } = assign(2, [member('a', [0, 1], { generation: 3 }), member('b', [0], { generation: 4 })], new Map())
    expect(now).toEqual(new Map([['id-a', [1]], ['id-b', [0]]])) // biome-ignore format: one line a member is no clearer.
  })

  it('leaves a slot with a member that is about to stop until that has given it back', () => {
    const { now } = assign(2, [member('a', [0, 1], { leaving: true }), member('b', [])], new Map())
    expect(now).toEqual(new Map([['id-b', []]]))
  })

  it('gives nothing where all are about to stop, and nothing that does not exist', () => {
    expect(assign(2, [member('a', [], { leaving: true })], new Map()).now).toEqual(new Map())
    expect(assign(2, [member('a', [7, 1])], new Map()).now).toEqual(new Map([['id-a', [0, 1]]]))
  })
})

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}
