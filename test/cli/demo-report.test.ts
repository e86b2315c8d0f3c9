import { expect, it } from 'vitest'
import { agree, expectedRecords, recordLine, statusLine, summary } from '../../src/cli/demo-report.ts'

const written = {
  orders: { insert: 5, update: 3, replace: 2, delete: 1 },
  customers: { insert: 4, update: 0, replace: 0, delete: 2 },
}

it('expects a record a change, and an audit record a delete', () => {
  expect(expectedRecords(written)).toEqual({ orders: 11, customers: 6, audit: 3 })
})

it('agrees only where every pipeline does', () => {
  const expected = expectedRecords(written)
  expect(agree(expected, { orders: 11, customers: 6, audit: 3 })).toBe(true)
  expect(agree(expected, { orders: 10, customers: 7, audit: 3 })).toBe(false)
  expect(summary(expected, { orders: 11, customers: 6, audit: 4 }, 1)).toMatch(/audit +3 +4 {2}DIFFER/)
})

it('shows a record in one short line, a tombstone by its name', () => {
  const record = { topic: 'shop.orders', partition: 3, key: '17', operation: 'u', value: 'x'.repeat(1_000) }
  expect(recordLine(record)).toMatch(/^ {2}shop\.orders\[3\] +u {2}key 17 +x{90}…$/)
  expect(recordLine({ ...record, value: undefined })).toContain('(tombstone)')
})

it('shows the largest lag and the smallest headroom, and never a figure that is not known', () => {
  const counts = { orders: 1, customers: 2, audit: 3 }
  const statuses = [
    { lagMs: 100, oplogHeadroomMs: 120_000 },
    { lagMs: 2_300, oplogHeadroomMs: 60_000 },
    { lagMs: null, oplogHeadroomMs: null },
  ]
  expect(statusLine(counts, counts, statuses)).toBe('── due 6 · consumed 6 · lag 2.3 s · oplog headroom 1.0 min')
  expect(statusLine(counts, counts, [])).toContain('lag not known · oplog headroom not known')
})
