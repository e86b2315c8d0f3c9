import fc from 'fast-check'
import { expect, it } from 'vitest'
import { withoutRecords } from '../../src/pipeline/without-records.ts'
import { outRecord, packRecords } from '../../src/record-headers.ts'

const bytes = fc.uint8Array({ maxLength: 12 }).map(array => Buffer.from(array))
const record = fc.record({
  topic: fc.constantFrom('a', 'b'),
  partition: fc.integer({ min: 0, max: 5 }),
  key: bytes,
  value: fc.option(bytes),
  headers: fc.constantFrom({}, { h: 'x' }, { h: '', 'm2k.position': Buffer.of(1, 2) }),
  timestampMs: fc.integer(),
})

it('leaves out records, and the others are as they were', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(record, fc.boolean())), list => {
      const left = new Set(list.flatMap(([, isLeft], i) => (isLeft ? [i] : [])))
      const kept = withoutRecords(packRecords(list.map(([each]) => each)), left)
      expect(Array.from({ length: kept.count }, (_, i) => outRecord(kept, i))).toEqual(
        list.filter(([, isLeft]) => !isLeft).map(([each]) => each),
      )
    }),
  )
})
