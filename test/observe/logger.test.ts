import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Configuration } from '../../src/errors.ts'
import { createLogger, type LogLevel } from '../../src/observe/logger.ts'
import { Secret } from '../../src/secret.ts'

interface Line {
  readonly [name: string]: unknown
}

/** A real pino logger whose lines are kept. */
function capture(level: LogLevel = 'debug', secrets: readonly Secret[] = []) {
  const raw: string[] = []
  const log = createLogger({ level, destination: { write: line => void raw.push(line) }, secrets })
  return { log, raw, lines: () => raw.map(line => JSON.parse(line) as Line) }
}

describe('a line', () => {
  test('is one JSON object with level, time, fields and message', () => {
    const { log, raw, lines } = capture()
    log.info({ pipeline: 'orders', count: 3, nothing: undefined, ids: [1, 'a', null] }, 'started')
    expect(raw).toHaveLength(1)
    expect(raw[0]?.endsWith('\n')).toBe(true)
    const { time, ...rest } = lines()[0]!
    expect(rest).toEqual({ level: 'info', pipeline: 'orders', count: 3, ids: [1, 'a', null], message: 'started' })
    expect(new Date(String(time)).toISOString()).toBe(time)
  })

  test('below the level is not written', () => {
    const { log, lines } = capture('warn')
    log.debug({}, 'a')
    log.info({}, 'b')
    log.warn({}, 'c')
    log.error({}, 'd')
    expect(lines().map(line => [line.level, line.message])).toEqual([
      ['warn', 'c'],
      ['error', 'd'],
    ])
  })

  test('of a child carries its fields, which are redacted as well', () => {
    const { log, lines } = capture()
    log.child({ pipeline: 'orders', password: 'canary' }).child({ slot: 0 }).info({}, 'x')
    expect(lines()[0]).toMatchObject({ pipeline: 'orders', slot: 0, password: '[redacted]' })
  })

  test('keeps its own names whatever the fields are called', () => {
    const { log, lines } = capture()
    log.error({ level: 'fake', time: 'never', message: 'other' }, 'true')
    expect(lines()[0]).toMatchObject({
      level: 'error',
      message: 'true',
      level_: 'fake',
      time_: 'never',
      message_: 'other',
    })
  })
})

describe('secrets and contents (G9)', () => {
  const canary = 'canary-4711'
  const uri = `mongodb://cdc:${canary}@db0:27017/?replicaSet=rs0`

  /** As drivers do it: the command, the reply and the document hang on the error. */
  function driverError(): Error {
    const inner = Object.assign(new Error(`cannot reach ${uri}`), {
      name: 'MongoServerError',
      code: 18,
      errInfo: { failingDocument: canary },
      command: { saslStart: 1, payload: canary },
    })
    const middle = new AggregateError([new Error(`password=${canary}`), inner], 'all failed', { cause: inner })
    return new Configuration('SOURCE_AUTH_FAILED', `login at ${uri} failed`, { cause: middle })
  }

  test.each<[string, Record<string, unknown>, string]>([
    ['in the message', {}, `connecting to ${uri}`],
    ['in a string field', { target: uri }, 'x'],
    ['in a nested field', { config: { mongodb: { options: [{ url: uri }] } } }, 'x'],
    ['in a field of a telling name', { sasl: { username: 'cdc', password: canary, apiKey: canary } }, 'x'],
    ['in a field name', { [`mongodb://cdc:${canary}@db0`]: 1 }, 'x'],
    ['as a Secret', { uri: new Secret(uri), list: [new Secret(canary)] }, 'x'],
    ['in an error', { error: driverError() }, 'x'],
    ['in a cause deep down', { error: new Error('a', { cause: new Error('b', { cause: driverError() }) }) }, 'x'],
    ['in a URL object', { proxy: new URL(`http://cdc:${canary}@proxy:3128`) }, 'x'],
    [
      'as a document',
      { fullDocument: { name: canary }, documentKey: { _id: canary }, value: canary, key: canary },
      'x',
    ],
    ['as bytes', { span: { bytes: Buffer.from(canary), start: 0, end: 11 } }, 'x'],
    [
      'in an instance of a class',
      {
        client: new (class Client {
          password = canary
          note = canary
        })(),
      },
      'x',
    ],
    ['in a Map', { headers: new Map([['a', canary]]), other: new Map([['a', canary]]) }, 'x'],
    ['in a position', { position: { kind: 'event', token: canary, clusterTime: '1' } }, 'x'],
  ])('do not appear: %s', (_where, fields, message) => {
    const { log, raw } = capture()
    log.error(fields, message)
    log.child(fields).info({}, message)
    expect(raw).toHaveLength(2)
    expect(raw.join('')).not.toContain(canary)
    expect(raw.join('')).not.toContain(Buffer.from(canary).toString('base64'))
  })

  test('do not appear even as bare text, where the logger knows them', () => {
    const { log, raw } = capture('info', [new Secret(canary)])
    log.info({ note: `tried ${canary}`, error: new Error(canary, { cause: canary }) }, canary)
    expect(raw.join('')).not.toContain(canary)
  })

  test('an error still says what happened: type, code, remedy, stack and causes', () => {
    const { log, lines } = capture()
    log.error({ error: driverError() }, 'x')
    expect(lines()[0]?.error).toMatchObject({
      type: 'Configuration',
      code: 'SOURCE_AUTH_FAILED',
      message: 'login at mongodb://[redacted]@db0:27017/?replicaSet=rs0 failed',
      remedy: expect.stringContaining('authSource'),
      stack: expect.stringContaining('logger.test.ts'),
      cause: { type: 'AggregateError', errors: [{ type: 'Error' }, { type: 'MongoServerError', code: 18 }] },
    })
  })

  test('a Secret prints [redacted] in every way', () => {
    const secret = new Secret(canary)
    expect([`${secret}`, JSON.stringify(secret), inspect(secret), inspect({ a: [secret] })].join()).not.toContain(
      canary,
    )
  })
})

describe('bounds (G7)', () => {
  test('a line stays short whatever is logged', () => {
    const { log, raw } = capture()
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`name${i}`, 'x'.repeat(5_000)]))
    const deep: Record<string, unknown> = {}
    deep.self = deep
    log.info({ wide, list: Array.from({ length: 10_000 }, () => wide), deep, long: 'y'.repeat(1e6) }, 'z'.repeat(1e6))
    expect(raw[0]?.length).toBeLessThan(64 * 1_024)
    expect(JSON.parse(raw[0]!)).toMatchObject({ level: 'info' })
  })

  test('what JSON cannot hold is named, and what throws does not reach the caller', () => {
    const { log, lines } = capture()
    log.info({ big: 2n ** 70n, nan: Number.NaN, run: () => 1, at: new Date(0), gone: new Date(Number.NaN) }, 'x')
    const trap = {
      get note(): string {
        throw new Error('trap')
      },
    }
    log.info({ trap }, 'y')
    expect(lines()[0]).toMatchObject({
      big: '1180591620717411303424',
      nan: 'NaN',
      run: '[function]',
      at: '1970-01-01T00:00:00.000Z',
      gone: 'Invalid Date',
    })
    expect(lines()[1]).toMatchObject({ fields: '[unprintable]', message: 'y' })
  })
})
