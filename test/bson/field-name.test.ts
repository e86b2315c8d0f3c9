import { expect, test } from 'vitest'
import { FieldName } from '../../src/bson/field-name.ts'
import { viewOf } from '../../src/bson/view.ts'

test.each(['', 'a', 'ns', 'lsid', '_id', 'wallTime', 'fullDocumentBeforeChange', 'é'])(
  'finds %j and no other',
  name => {
    const wanted = new FieldName(name)
    const isAt = (bytes: Buffer, at: number) => wanted.isAt(viewOf(bytes), at)
    const exact = Buffer.from(`${name}\0`)
    expect(wanted.size).toBe(exact.length)
    for (let before = 0; before < 5; before++) {
      for (let after = 0; after < 5; after++) {
        const around = (inner: Buffer) => Buffer.concat([Buffer.alloc(before, 0x61), inner, Buffer.alloc(after, 0xff)])
        expect(isAt(around(exact), before)).toBe(true)
        expect(isAt(around(exact.subarray(0, -1)), before)).toBe(false)
        expect(isAt(around(Buffer.from(`${name}x\0`)), before)).toBe(false)
        for (let i = 0; i < exact.length; i++) {
          const other = Buffer.from(exact)
          other[i]! ^= 0x80
          expect(isAt(around(other), before)).toBe(false)
        }
      }
    }
  },
)
