import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoundedRegex } from '../../src/source/bounded-regex.ts'

test('answers as the regular expression does, for any name', () => {
  const patterns = ['^shop\\.', 'orders|users', '^[^.]+\\.(a|b)*c$', 'É', '']
  const expressions = patterns.map(each => [new BoundedRegex(each, each, 'i'), new RegExp(each, 'i')] as const)
  const name = fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^(shop|é|[abc.])*$/))
  fc.assert(
    fc.property(name, text => {
      for (const [bounded, plain] of expressions) expect(bounded.test(text)).toBe(plain.test(text))
    }),
  )
})

test('one that would take for ever ends, says which it is, and can be asked again', () => {
  const slow = new BoundedRegex('/^(a+)+$/', '^(a+)+$', '')
  const hostile = `${'a'.repeat(250)}!`
  const error = { code: 'SOURCE_PATTERN_SLOW', message: expect.stringContaining('/^(a+)+$/') }
  expect(() => slow.test(hostile)).toThrow(expect.objectContaining(error))
  expect(slow.test('aaaa')).toBe(true)
  expect(slow.test('b')).toBe(false)
})

test('names reach no code', () => {
  const regex = new BoundedRegex('/zz/', 'zz', '')
  for (const name of ['constructor', '__proto__', "'); process.exit(1); ('", '\n'.repeat(300)]) {
    expect(regex.test(name)).toBe(false)
  }
  expect(() => new BoundedRegex('/(/', '(', '')).toThrow(SyntaxError)
})
