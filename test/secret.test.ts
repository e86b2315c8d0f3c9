import { format, inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret, secretsIn } from '../src/secret.ts'

const secret = new Secret('canary')

test.each([
  ['a template', `${secret}`],
  ['concatenation', `x${String(secret)}`],
  ['JSON', JSON.stringify({ secret, list: [secret] })],
  ['inspect', inspect({ secret }, { depth: 5, showHidden: true })],
  ['format', format('%s %o %O %j', secret, secret, secret, secret)],
  ['an error', inspect(new Error('x', { cause: { secret } }))],
  ['spreading', JSON.stringify({ ...secret })],
  ['a copy', JSON.stringify(structuredClone({ ...secret }))],
])('is not uncovered by %s', (_way, text) => {
  expect(text).not.toContain('canary')
})

test('is given out on request only', () => {
  expect(secret.reveal()).toBe('canary')
})

test('all of a configuration are found, however deep', () => {
  const other = new Secret('other')
  const found = secretsIn({ a: { b: [secret, 'text', null, { c: other }] }, d: 1, e: undefined })
  expect(found).toEqual([secret, other])
  expect(found.map(each => each.reveal())).toEqual(['canary', 'other'])
})
