import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRedact, oneLine } from '../src/redact.ts'
import { Secret, Secrets } from '../src/secret.ts'

const redact = createRedact()

describe('text that others wrote', () => {
  test.each([
    'connect failed: mongodb://cdc:canary@host:27017/?authSource=admin',
    'mongodb+srv://cdc:c@n/a:canary@host',
    'see "https://user:canary@proxy:3128" for more',
    'sasl: {"username":"cdc","password":"canary with spaces"}',
    'quoted twice: {\\"password\\":\\"canary\\"}',
    "password = 'canary'",
    'password: canary, retry',
    'url?access_token=canary&x=1',
    'Authorization: Bearer canary.canary',
    'Authorization: Basic canary==',
    'got bearer canarycanary from the proxy',
    '-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----',
    'E11000 duplicate key error collection: shop.users index: mail dup key: { mail: "canary" }',
    "Failed to parse number 'canary' in $convert with no onError value",
    "Error parsing date string 'it\\'s canary'; 0: passed a time zone identifier 'canary'",
    'no post-image was found for event: {"documentKey":{"_id":"canary"},"x":{}}',
    "failed on { _id: ObjectId('0'), name: { first: 'canary' } } (MongoDB code 47)",
    'cut off: { _id: { a: "canary',
    `Unexpected token 'c', "canary" is not valid JSON`,
    'BSONObj size: 16797 is invalid. Size must be between 0 and 16793600(16MB) First element: _id: { _data: "canary" }',
  ])('loses its secret: %s', text => {
    expect(redact(text)).not.toContain('canary')
    expect(redact(text)).toContain('[redacted]')
  })

  test('keeps what an operator needs', () => {
    expect(redact('mongodb://cdc:pw@db0.example:27017/shop')).toBe('mongodb://[redacted]@db0.example:27017/shop')
    const plain = 'SASL authentication failed: token expired at mongodb://db0.example:27017/shop (attempt 3 of 5)'
    expect(redact(plain)).toBe(plain)
  })

  test('is cut, without uncovering credentials at the cut', () => {
    const long = redact(`${'x'.repeat(4_080)} mongodb://cdc:canary${'y'.repeat(40)}@host`)
    expect(long.length).toBeLessThan(2_100)
    expect(redact(`${'x'.repeat(2_030)} mongodb://cdc:canary@host`)).not.toContain('canary')
  })
})

test('known secrets are removed by value, bare, percent-encoded or inside JSON, wherever they stand', () => {
  const secret = fc.string({ unit: 'grapheme', minLength: 4, maxLength: 40 }).filter(value => value.trim().length >= 4)
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (value, before, after) => {
      const known = createRedact([new Secret(value)])
      for (const spelling of [value, encodeURIComponent(value), JSON.stringify(value)]) {
        const text = known(`${before}${spelling}${after}`)
        expect(text.replaceAll('[redacted]', '\0')).not.toContain(spelling)
      }
    }),
  )
})

test('what is learned later is removed from then on, and what was before stays removed', () => {
  const secrets = new Secrets([new Secret('configured')])
  const known = createRedact(secrets)
  expect(known('configured, rotated, again')).toBe('[redacted], rotated, again')
  secrets.learn('rotated')
  expect(known('configured, rotated, again')).toBe('[redacted], [redacted], again')
  secrets.learn('again')
  expect(known('configured, rotated, again')).toBe('[redacted], [redacted], [redacted]')
})

test('the password inside a secret URI is removed too, as written and decoded', () => {
  const known = createRedact([new Secret('mongodb://cdc:can%40ry1@host/?authSource=admin')])
  expect(known('user cdc, tried can%40ry1 and can@ry1')).toBe('user cdc, tried [redacted] and [redacted]')
})

test('very short secrets do not garble the text', () => {
  expect(createRedact([new Secret('e')])('one sentence')).toBe('one sentence')
})

describe('text that acts on a terminal', () => {
  test.each([
    ['\u001b[2J\u001b]0;owned\u0007', '\\u001b[2J\\u001b]0;owned\\u0007'],
    ['a\rb\u009b31mc\u007f', 'a\\rb\\u009b31mc\\u007f'],
    ['a\u2028b\u202ec\u2066d', 'a\\u2028b\\u202ec\\u2066d'],
    ['\u0000', '\\u0000'],
  ])('is shown and not obeyed: %j', (text, shown) => {
    expect(redact(text)).toBe(shown)
    expect(oneLine(text)).toBe(shown)
  })

  test('a stack keeps its lines, a message has one', () => {
    expect(redact('Error\n\tat x')).toBe('Error\n\tat x')
    expect(oneLine('Error\n\tat x')).toBe('Error\\n\\tat x')
  })
})

test('whatever the text, redacting it takes time in proportion to its bounds', () => {
  const hostile = ['{', '{a:', "parse '", '"', '://', '@', 'password=', '-----BEGIN PRIVATE KEY-----', 'dup key: ', ' ']
  for (const piece of hostile) expect(redact(piece.repeat(1_000_000)).length).toBeLessThan(2_100)
})
