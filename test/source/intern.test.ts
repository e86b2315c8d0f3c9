import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Intern } from '../../src/source/intern.ts'

it('gives what was made of equal bytes, whatever came between', () => {
  const texts = fc.array(fc.stringMatching(/^[ab]{0,4}$/), { maxLength: 100 })
  fc.assert(
    fc.property(texts, all => {
      let made = 0
      const intern = new Intern((bytes, start, end) => {
        made++
        return { text: bytes.toString('latin1', start, end) }
      })
      const first = new Map<string, object>()
      for (const text of all) {
        const value = intern.of(Buffer.from(`[${text}]`), 1, 1 + text.length)
        expect(value.text).toBe(text)
        if (!first.has(text)) first.set(text, value)
        expect(value).toBe(first.get(text))
      }
      expect(made).toBe(first.size)
    }),
  )
})

it('tells bytes with the same hash apart', () => {
  // A collision of 32-bit FNV-1a.
  const [one, other] = [Buffer.from('costarring'), Buffer.from('liquid')]
  const intern = new Intern((bytes, start, end) => bytes.toString('latin1', start, end))
  for (let i = 0; i < 2; i++) {
    expect(intern.of(one, 0, one.length)).toBe('costarring')
    expect(intern.of(other, 0, other.length)).toBe('liquid')
  }
})

it('stays bounded and right when there are more than it remembers', () => {
  const intern = new Intern(bytes => bytes.readUInt32LE())
  for (let i = 0; i < 25_000; i++) {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(i)
    expect(intern.of(bytes, 0, 4)).toBe(i)
  }
})
