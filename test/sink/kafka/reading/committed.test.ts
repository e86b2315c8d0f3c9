import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { committedOf } from '../../../../src/sink/kafka/reading/committed.ts'
import type { ReadBatch } from '../../../../src/sink/kafka/reading/record-batches.ts'

interface Kind {
  readonly isTransactional?: boolean
  readonly marker?: 'commit' | 'abort'
}

function batch(offset: bigint, producerId: bigint, { isTransactional = false, marker }: Kind = {}): ReadBatch {
  const key = Buffer.from(marker === 'abort' ? [0, 0, 0, 0] : [0, 0, 0, 1])
  const record = { offset, timestampMs: 0, key, value: null, headers: Buffer.of(0) }
  return {
    baseOffset: offset,
    lastOffset: offset,
    producerId,
    isTransactional: isTransactional || marker !== undefined,
    isControl: marker !== undefined,
    records: () => [record],
  }
}

const offsets = (batches: Iterable<ReadBatch>) => [...batches].map(({ baseOffset }) => baseOffset)

describe('of the batches of transactions', () => {
  it('those of aborted ones are left out, and every marker', () => {
    const batches = [
      batch(0n, 1n, { isTransactional: true }),
      batch(1n, 2n, { isTransactional: true }),
      batch(2n, -1n),
      batch(3n, 1n, { marker: 'abort' }),
      batch(4n, 1n, { isTransactional: true }),
      batch(5n, 2n, { marker: 'commit' }),
      batch(6n, 1n, { marker: 'commit' }),
    ]
    expect(offsets(committedOf(batches, [{ producerId: 1n, firstOffset: 0n }]))).toEqual([1n, 2n, 4n])
    expect(offsets(committedOf(batches, []))).toEqual([0n, 1n, 2n, 4n])
  })

  it('an aborted transaction counts from its first offset on, also from before this answer', () => {
    const batches = [batch(10n, 1n, { isTransactional: true }), batch(11n, 1n, { marker: 'abort' })]
    expect(offsets(committedOf(batches, [{ producerId: 1n, firstOffset: 3n }]))).toEqual([])
    const later = [
      batch(10n, 1n, { isTransactional: true }),
      batch(11n, 1n, { marker: 'commit' }),
      batch(12n, 1n, { isTransactional: true }),
    ]
    expect(offsets(committedOf(later, [{ producerId: 1n, firstOffset: 12n }]))).toEqual([10n])
  })

  it('a marker without type is malformed', () => {
    const marker = {
      ...batch(0n, 1n, { marker: 'abort' }),
      records: () => [{ offset: 0n, timestampMs: 0, key: null, value: null, headers: Buffer.of(0) }],
    }
    expect(() => offsets(committedOf([marker], []))).toThrow(RangeError)
    const compacted = { ...batch(0n, 1n, { marker: 'abort' }), records: () => [] }
    expect(offsets(committedOf([compacted], []))).toEqual([])
  })

  it('exactly those that a log with any interleaving has committed', () => {
    const step = fc.record({
      producer: fc.integer({ min: 0, max: 3 }),
      what: fc.constantFrom('send', 'commit', 'abort', 'plain'),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const batches: ReadBatch[] = []
        const aborted: { producerId: bigint; firstOffset: bigint }[] = []
        const open = new Map<number, bigint[]>()
        const committed: bigint[] = []
        for (const { producer, what } of steps) {
          const offset = BigInt(batches.length)
          const id = BigInt(producer)
          if (what === 'plain') {
            batches.push(batch(offset, -1n))
            committed.push(offset)
          } else if (what === 'send') {
            batches.push(batch(offset, id, { isTransactional: true }))
            open.set(producer, [...(open.get(producer) ?? []), offset])
          } else if (open.has(producer)) {
            const sent = open.get(producer)!
            if (what === 'commit') committed.push(...sent)
            else aborted.push({ producerId: id, firstOffset: sent[0]! })
            open.delete(producer)
            batches.push(batch(offset, id, { marker: what }))
          }
        }
        // Up to the last stable offset, as a broker gives them.
        const stable = [...open.values()].reduce(
          (least, [first]) => (first! < least ? first! : least),
          BigInt(batches.length),
        )
        const given = batches.slice(0, Number(stable))
        const wanted = committed.filter(offset => offset < stable).sort((a, b) => (a < b ? -1 : 1))
        expect(offsets(committedOf(given, aborted))).toEqual(wanted)
      }),
      { numRuns: 500 },
    )
  })
})
