import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bytesField, readBytesField, uint64Field } from '../../../../src/sink/kafka/login/protobuf.ts'

it('reads back what it writes, among other fields', () => {
  const fields = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 200, minLength: 1 })))
  fc.assert(
    fc.property(fields, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (list, number) => {
      const message = Buffer.concat([
        uint64Field(6, number),
        ...list.map(([field, bytes]) => bytesField(field, Buffer.from(bytes))),
      ])
      for (const field of [1, 2, 3, 4, 5]) {
        const last = list.findLast(([other]) => other === field)?.[1] ?? []
        expect(readBytesField(message, field)).toEqual(Buffer.from(last))
      }
    }),
  )
})

it.each(['0a', '0a05aa', '0b', 'ffffffffffffffffffffff', '0d0000'])('throws for %s', hex => {
  expect(() => readBytesField(Buffer.from(hex, 'hex'), 1)).toThrow(RangeError)
})
