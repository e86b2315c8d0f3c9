// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax under test
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { interpolate } from '../../src/config/interpolate.ts'

const env = { HOST: 'db1', EMPTY: '', EVIL: '${HOST}: [*a, "x"' }

function run(text: string, variables: Readonly<Record<string, string>> = env) {
  const named: string[] = []
  const readFile = (path: string) => {
    if (path === '/token') return 'secret\n'
    throw Object.assign(new Error('secret content'), { code: 'EACCES' })
  }
  return { ...interpolate(text, { env: variables, readFile, onVariable: name => named.push(name) }), named }
}

test.each([
  ['${HOST}', 'db1'],
  ['a${HOST}b${HOST}', 'adb1bdb1'],
  ['${NONE:-x:y}', 'x:y'],
  ['${NONE:-}', ''],
  ['${EMPTY}', ''],
  ['${EMPTY:-x}', 'x'],
  ['${HOST:-x}', 'db1'],
  ['${file:/token}', 'secret'],
  ['$${HOST}', '${HOST}'],
  ['$${', '${'],
  ['$HOST $ {} $$', '$HOST $ {} $$'],
])('%s becomes %s', (text, expected) => {
  expect(run(text)).toMatchObject({ text: expected, errors: [] })
})

test.each([
  ['${NONE}', 'environment variable NONE is not set'],
  ['${HOST', 'unreadable placeholder'],
  ['${}', 'unreadable placeholder'],
  ['${a-b}', 'unreadable placeholder'],
  ['${file:}', 'unreadable placeholder'],
  ['${file:/other}', 'cannot read file /other: EACCES'],
  ['${constructor}', 'environment variable constructor is not set'],
])('%s is an error', (text, expected) => {
  const { errors } = run(text)
  expect(errors).toHaveLength(1)
  expect(errors[0]).toContain(expected)
})

test('every error of a scalar is reported, and every variable named', () => {
  expect(run('${A} ${B:-b} ${C}')).toMatchObject({
    errors: [{}, {}].map(() => expect.any(String)),
    named: ['A', 'B', 'C'],
  })
})

test('what was put in is not read again', () => {
  expect(run('${EVIL}').text).toBe(env.EVIL)
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (before, value, after) => {
      const plain = (text: string) => text.replaceAll('$', '')
      const { text, errors } = run(`${plain(before)}$\{V}${plain(after)}`, { V: value })
      expect(errors).toEqual([])
      expect(text).toBe(plain(before) + value + plain(after))
    }),
  )
})

test('escaping makes any text pass unchanged', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('${', '}', 'HOST', ':-', 'x', '{')), parts => {
      const text = parts.join('')
      expect(run(text.replaceAll('${', '$$${'))).toMatchObject({ text, errors: [] })
    }),
  )
})
