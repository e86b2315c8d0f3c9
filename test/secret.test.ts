import { format, inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret, Secrets, secretsIn } from '../src/secret.ts'

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

test('what is learned is known along with the configuration, once', () => {
  const secrets = new Secrets([secret])
  secrets.learn('first')
  const { revision } = secrets
  secrets.learn('first')
  expect(secrets.revision).toBe(revision)
  secrets.learn('second')
  expect(secrets.revision).toBeGreaterThan(revision)
  expect(secrets.all.map(each => each.reveal())).toEqual(['canary', 'first', 'second'])
})

test('what is kept no number of tokens makes forgotten, though nobody uses it', () => {
  const secrets = new Secrets()
  secrets.keep('passphrase')
  for (let i = 0; i < 1_000; i++) secrets.learn(`token ${i}`)
  expect(secrets.all.map(each => each.reveal())).toContain('passphrase')
  for (let i = 0; i < 3_000; i++) secrets.keep(`password ${i}`)
  expect(secrets.all.length).toBeLessThan(1_300)
})

test('of many learned ones those used last are known, and always the configured', () => {
  const secrets = new Secrets([secret])
  secrets.learn('password')
  for (let i = 0; i < 1_000; i++) {
    secrets.learn(`token ${i}`)
    secrets.learn('password')
  }
  const known = secrets.all.map(each => each.reveal())
  expect(known.length).toBeLessThan(300)
  expect(known).toEqual(expect.arrayContaining(['canary', 'password', 'token 999', 'token 900']))
  expect(known).not.toContain('token 0')
})
