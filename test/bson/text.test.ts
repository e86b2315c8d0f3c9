import fc from 'fast-check'
import { expect, test } from 'vitest'
import { writeText } from '../../src/bson/text.ts'
import { viewOf } from '../../src/bson/view.ts'
import { ByteWriter } from '../../src/bson/writer.ts'
import { texts } from './documents.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Well-formed and broken pieces of UTF-8: truncated, overlong, surrogates, beyond U+10FFFF, stray continuations. */
const pieces = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }).map(text => [...Buffer.from(text)]),
  fc.constantFrom(
    [0x80],
    [0xc0, 0x80],
    [0xc3],
    [0xe2, 0x82],
    [0xed, 0xa0, 0x80],
    [0xf0, 0x9f, 0x98],
    [0xf4, 0x90, 0x80, 0x80],
  ),
  fc.constantFrom([0xff], [0xe0, 0x80, 0x80], [0xf0, 0x80, 0x80, 0x80], [0xf5, 0x80], [0xc3, 0x28], [0xef, 0xbf, 0xbd]),
  fc.uint8Array({ minLength: 1, maxLength: 6 }).map(bytes => [...bytes]),
)
const anyBytes = fc.array(pieces, { maxLength: 40 }).map(parts => Buffer.from(parts.flat()))

function written(bytes: Buffer, mode?: 'keep-apart'): { text: Buffer; malformed: number } {
  const out = new ByteWriter()
  const malformed = writeText(out, viewOf(bytes), 0, bytes.length, mode)
  return { text: out.take(), malformed }
}

test('writes well-formed text as JSON.stringify does', () => {
  fc.assert(
    fc.property(texts, text => {
      const { text: got, malformed } = written(Buffer.from(text))
      expect(`"${got.toString()}"`).toBe(JSON.stringify(decoder.decode(Buffer.from(text))))
      expect(malformed).toBe(0)
    }),
  )
})

test('writes malformed UTF-8 as TextDecoder replaces it, and tells', () => {
  fc.assert(
    fc.property(anyBytes, bytes => {
      const { text, malformed } = written(bytes)
      expect(`"${text.toString()}"`).toBe(JSON.stringify(decoder.decode(bytes)))
      const isWellFormed = Buffer.from(decoder.decode(bytes)).equals(bytes)
      expect(malformed > 0).toBe(!isWellFormed)
    }),
    { numRuns: 2000 },
  )
})

test('keeps malformed texts apart: the bytes can be had back', () => {
  fc.assert(
    fc.property(anyBytes, bytes => {
      const text: string = JSON.parse(`"${written(bytes, 'keep-apart').text.toString()}"`)
      const back = [...text].map(char => {
        const code = char.codePointAt(0)!
        return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(char)
      })
      expect(Buffer.concat(back)).toEqual(bytes)
    }),
    { numRuns: 2000 },
  )
})

test.each([1, 2, 3])('keeps sequences whole where long text is written in steps (shifted by %i)', shift => {
  const bytes = Buffer.from('x'.repeat(shift) + '😀€é"'.repeat(20_000))
  expect(`"${written(bytes).text.toString()}"`).toBe(JSON.stringify(bytes.toString()))
})

test('has room for the worst case, control characters and damaged bytes only', () => {
  const bytes = Buffer.concat([Buffer.alloc(100_000, 1), Buffer.alloc(100_000, 0xff)])
  expect(`"${written(bytes).text.toString()}"`).toBe(JSON.stringify(decoder.decode(bytes)))
  expect(written(bytes, 'keep-apart').text.length).toBe(1_200_000)
})

test('writes plain runs of any length around what needs an escape, up to the last byte of the buffer', () => {
  for (let before = 0; before <= 9; before++) {
    for (let after = 0; after <= 9; after++) {
      for (const middle of ['"', '\\', '\u001f', '\u007f', '\0', ' ', 'é', '']) {
        const text = 'x'.repeat(before) + middle + 'y'.repeat(after)
        expect(`"${written(Buffer.from(text)).text.toString()}"`).toBe(JSON.stringify(text))
      }
    }
  }
})

test('tells every byte apart in every place of a word', () => {
  for (let byte = 0; byte < 256; byte++) {
    for (let place = 0; place < 4; place++) {
      const bytes = Buffer.from('abcdefgh')
      bytes[place] = byte
      expect(`"${written(bytes).text.toString()}"`).toBe(JSON.stringify(decoder.decode(bytes)))
    }
  }
})
