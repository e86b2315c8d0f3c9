import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { FetchedRecord } from './fetch-connection.ts'
import { differences, lineOf } from './second-reader.ts'

const record: FetchedRecord = {
  offset: '7',
  key: Buffer.from('k'),
  value: null,
  headers: { h: Buffer.from([255]) },
  isControlRecord: false,
  batchContext: { producerId: '1', inTransaction: true, firstOffset: '7', lastOffsetDelta: 0 },
}
const lines = ['a 0 0 x', 'a 1 0 y', 'a 0 1 z', 'b 0 4 x']

describe('two readers', () => {
  test('write a record as its place and the digest of its parts, each with its length', () => {
    const parts = Buffer.from([0, 0, 0, 1, 107, 255, 255, 255, 255, 0, 0, 0, 1, 104, 0, 0, 0, 1, 255])
    expect(lineOf('t', 3, record)).toBe(`t 3 7 ${createHash('sha256').update(parts).digest('hex')}`)
    const others = [
      { ...record, value: Buffer.alloc(0) },
      { ...record, key: Buffer.from('l') },
      { ...record, headers: { i: Buffer.from([255]) } },
      { ...record, headers: {} },
    ]
    expect(new Set([record, ...others].map(r => lineOf('t', 3, r))).size).toBe(5)
  })

  test('agree where each partition is the same, in whatever order the partitions come', () => {
    expect(differences(lines, [lines[3]!, lines[1]!, lines[0]!, lines[2]!])).toEqual([])
  })

  test.each<[string, readonly string[]]>([
    ['has less', lines.slice(1)],
    ['has more', [...lines, 'b 0 5 x']],
    ['has another partition', [...lines, 'b 1 0 x']],
    ['has other bytes', lines.with(1, 'a 1 0 x')],
    ['has another order', lines.with(0, lines[2]!).with(2, lines[0]!)],
  ])('differ where one %s', (_what, theirs) => {
    expect(differences(lines, theirs)).toHaveLength(1)
    expect(differences(theirs, lines)[0]).toMatch(/^two readers differ at record \d of (a-[01]|b-[01]): ours has /)
  })
})
