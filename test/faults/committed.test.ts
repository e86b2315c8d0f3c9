import { describe, expect, test } from 'vitest'
import { committed, nextOffset } from './committed.ts'
import type { FetchedPartition, FetchedRecord } from './fetch-connection.ts'

const [aborted, committedMarker] = [0, 1]

function record(offset: number, producerId: string, inTransaction = true, marker?: number): FetchedRecord {
  const key = Buffer.from([0, 0, 0, marker ?? 9])
  const batchContext = { producerId, inTransaction, firstOffset: String(offset), lastOffsetDelta: 0 }
  const isControlRecord = marker !== undefined
  return { offset: String(offset), key, value: Buffer.from('v'), headers: {}, isControlRecord, batchContext }
}

function fetched(messages: readonly FetchedRecord[], abortedTransactions: readonly [string, number][]) {
  const list = abortedTransactions.map(([producerId, first]) => ({ producerId, firstOffset: String(first) }))
  const marks = { partition: 0, errorCode: 0, highWatermark: '99', lastStableOffset: '99' }
  return { ...marks, abortedTransactions: list, messages } satisfies FetchedPartition
}

const visible = (of: FetchedPartition, from = 0) => committed(of, from).map(({ offset }) => Number(offset))

describe('what a read-committed consumer sees', () => {
  test('nothing of an aborted transaction, all of what its producer commits later and others do', () => {
    const messages = [
      record(0, 'a'),
      record(1, 'b'),
      record(2, 'c', false),
      record(3, 'a', true, aborted),
      record(4, 'a'),
      record(5, 'a', true, committedMarker),
      record(6, 'b', true, committedMarker),
    ]
    expect(visible(fetched(messages, [['a', 0]]))).toEqual([1, 2, 4])
  })

  test('nothing of two transactions that began before the fetched offset', () => {
    const messages = [record(7, 'b'), record(8, 'a'), record(9, 'c', false)]
    const both: [string, number][] = [
      ['b', 3],
      ['a', 2],
    ]
    expect(visible(fetched(messages, both))).toEqual([9])
  })

  test('nothing before the offset that was asked for; the next one is behind the last batch', () => {
    const messages = [record(3, 'a', false), record(4, 'a', false), record(5, 'a', true, committedMarker)]
    expect(visible(fetched(messages, []), 4)).toEqual([4])
    expect(nextOffset(fetched(messages, []), 4)).toBe(6)
    expect(nextOffset(fetched([], []), 4)).toBe(4)
  })
})
