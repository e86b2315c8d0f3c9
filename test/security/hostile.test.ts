import { serialize } from 'bson'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { statusPage } from '../../src/admin/page.ts'
import { readYaml } from '../../src/config/yaml-text.ts'
import type { EncodeOptions } from '../../src/encode/encode.ts'
import { createEncoder } from '../../src/encode/encoder.ts'
import { RecordBlocks } from '../../src/encode/record-block.ts'
import { PoisonEvent } from '../../src/errors.ts'
import { silentMeter } from '../../src/meter.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { topicOf } from '../../src/pipeline/places.ts'
import { status } from '../admin/statuses.ts'
import { eventOf, optionsOf, positionAt, recordsOf } from '../encode/events.ts'

/** Documents, names and files as strangers would make them. */

const formats = ['json', 'extended-json', 'canonical-json'] as const
const encode = (after: object, options: Partial<EncodeOptions> = {}) => {
  const encoder = createEncoder(optionsOf(options), silentMeter, new RecordBlocks())
  return recordsOf(
    encoder,
    eventOf({ operation: 'insert', documentKey: { _id: 1 }, after, raw: { fullDocument: after } }),
  )
}
const text = (after: object, format: (typeof formats)[number]) =>
  encode(after, { value: { format, shape: 'document' } })[0]?.value?.toString() ?? ''

/** `{a: {a: … 1}}`, or with arrays, without the stack that JavaScript would need. */
function nested(depth: number, array = false): Record<string, unknown> {
  let inner: unknown = 1
  for (let i = 0; i < depth; i += 1) inner = array && i % 2 === 0 ? [inner] : { a: inner }
  return { a: inner }
}

/** Names that templates, logs, shells, pages and JavaScript's objects read in a way of their own. */
const evilNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '$where',
  '$'.concat('{process.env.HOME}'),
  '{{7*7}}',
  '%s%n%x',
  '%c',
  '\n{"level":"error","message":"forged"}',
  '\r\nHTTP/1.1 200 OK',
  '\u001b[2J\u001b]0;x\u0007',
  '<script>alert(1)</script>',
  '";drop',
  "'",
  '../../etc/passwd',
  '\u202eevil',
  '\u2028',
  'a.b.c',
  '.',
  '',
  ' ',
  '\ud83d\ude00',
  'x'.repeat(10_000),
]
const evil = fc.oneof(
  fc.constantFrom(...evilNames),
  fc.string({ unit: 'binary', maxLength: 40 }).map(each => each.replaceAll('\0', '')),
)

describe('documents', () => {
  test.each(formats)('180 levels, as deep as MongoDB stores, pass as %s; what no server sends is refused', format => {
    for (const array of [false, true]) {
      const value = text(nested(180, array), format)
      expect(value.match(/[{[]/g)?.length).toBeGreaterThanOrEqual(181)
      expect(value.match(/[{[]/g)?.length).toBe(value.match(/[}\]]/g)?.length)
    }
    expect(() => text(nested(2_000), format)).toThrow(PoisonEvent)
  })

  test('16 MB in one string, and in a million fields, pass whole', { timeout: 120_000 }, () => {
    const large = 'é"\n'.repeat(4_000_000)
    expect(JSON.parse(text({ _id: 1, large }, 'json')).large).toBe(large)
    const wide = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`f${i}`, i]))
    expect(Object.keys(JSON.parse(text(wide, 'json')))).toHaveLength(1_000_000)
  })

  test('names of fields are data: they arrive as they are, and change nothing of ours', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).join()
    fc.assert(
      fc.property(fc.uniqueArray(evil, { maxLength: 5 }), fc.string(), (names, value) => {
        const document: Record<string, unknown> = Object.create(null)
        const usable = names.map(name => name.toWellFormed()).filter((name, i, all) => all.indexOf(name) === i)
        for (const name of usable) document[name] = { polluted: value.toWellFormed() }
        const parsed = JSON.parse(text(document, 'json')) as object
        expect(Object.keys(parsed).sort()).toEqual(usable.toSorted())
        for (const name of usable) {
          expect(Object.getOwnPropertyDescriptor(parsed, name)?.value).toEqual({ polluted: value.toWellFormed() })
        }
      }),
    )
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before)
    expect('polluted' in {}).toBe(false)
  })

  test('one that is damaged anywhere is encoded within its bounds or refused, with a message that quotes nothing', () => {
    const whole = serialize({
      _id: 1,
      canary: 'canarycanary',
      list: [1, 'canary', { canary: true }],
      code: new Date(0),
    })
    const options = fc.constantFrom(...formats).map(format => ({ value: { format, shape: 'document' } }) as const)
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), options, (at, byte, changes) => {
        const bytes = Buffer.from(whole)
        bytes[at] = byte
        const event = eventOf({ operation: 'insert', documentKey: { _id: 1 } })
        const encoder = createEncoder(optionsOf(changes), silentMeter, new RecordBlocks())
        try {
          recordsOf(encoder, { ...event, after: { bytes, start: 0, end: bytes.length } })
        } catch (error) {
          expect(error).toBeInstanceOf(PoisonEvent)
          expect((error as PoisonEvent).message).not.toContain('canary')
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('names of databases and collections', () => {
  test('make a topic that Kafka takes, or none', () => {
    const position = positionAt(1_700_000_000)
    fc.assert(
      fc.property(
        fc.constantFrom('{db}.{collection}', 'x-{collection}', '{collection}'),
        evil,
        evil,
        (pattern, db, collection) => {
          try {
            const topic = topicOf(pattern, { db, collection, position })
            expect(topic).toMatch(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/)
          } catch (error) {
            expect(error).toMatchObject({ code: 'SINK_TOPIC_INVALID' })
          }
        },
      ),
    )
    expect(() => topicOf('{db}', { db: '{collection}', collection: 'other', position })).toThrow(PoisonEvent)
  })

  test('cannot forge a line of the log, a field, or an escape of the terminal', () => {
    fc.assert(
      fc.property(evil, evil, (name, value) => {
        const lines: string[] = []
        const log = createLogger({ level: 'info', destination: { write: line => void lines.push(line) } })
        log.child({ [name]: value }).warn({ [value]: name, error: new Error(`${name} ${value}`) }, `${name}: ${value}`)
        expect(lines).toHaveLength(1)
        expect(lines[0]?.trimEnd()).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
        expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn' })
      }),
    )
  })

  test('stay text on the status page', () => {
    fc.assert(
      fc.property(evil, evil, (name, message) => {
        const error = { code: 'X', message, remedy: name }
        const page = statusPage([{ ...status('orders', 'failed'), error }])
        const empty = statusPage([{ ...status('orders', 'failed'), error: { code: 'X', message: '', remedy: '' } }])
        expect(page.match(/</g)?.length).toBe(empty.match(/</g)?.length)
      }),
    )
  })
})

describe('configuration files', () => {
  const load = (yaml: string) => readYaml(yaml, each => ({ text: each, errors: [] }))
  const layer = (i: number) => `b${i}: &b${i} [${Array.from({ length: 9 }, () => `*b${i - 1}`).join(',')}]\n`

  test.each([
    ['a billion laughs', `b0: &b0 [lol]\n${Array.from({ length: 12 }, (_, i) => layer(i + 1)).join('')}`],
    ['an alias of itself', 'a: &a [*a]'],
    ['lists in lists', `${'['.repeat(5_000)}${']'.repeat(5_000)}`],
    ['maps in maps', '{a: '.repeat(5_000)],
    ['a megabyte and more', `a: ${'x'.repeat(1_000_001)}`],
  ])('%s: an error with its place, and an end', (_what, yaml) => {
    expect(load(yaml).errors.length).toBeGreaterThan(0)
  })

  test('an alias means the anchor before it, as written last; anchors within what it names stay where they are', () => {
    const { root, errors } = load('a: &x 1\nb: *x\nc: &x [&y 2]\nd: *x\ny: &y 3\ne: *x\nf: *y')
    expect([root, errors]).toEqual([{ a: 1, b: 1, c: [2], d: [2], y: 3, e: [2], f: 3 }, []])
  })

  test('keys such as __proto__ are keys', () => {
    const { root } = load('__proto__: { polluted: 1 }\nconstructor: 2')
    expect(Object.keys(root as object)).toEqual(['__proto__', 'constructor'])
    expect('polluted' in {}).toBe(false)
  })
})
