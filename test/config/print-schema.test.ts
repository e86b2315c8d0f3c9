import { globSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/config.ts'
import { fileSchema, type JsonSchema } from '../../src/config/print-schema.ts'
import { InvalidConfig } from '../../src/config/problem.ts'

// Its strict mode refuses words that the draft does not have.
const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true })
const accepts = ajv.compile(fileSchema())

const full = readFileSync('config/full.yaml', 'utf8')
const withDefaults = parse(full) as Readonly<Record<string, unknown>>

/** Every path to a value in `value`, the steps of lists included. */
function paths(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, child]) => paths(child, [...path, key]))]
}

function replaced(value: unknown, [step, ...rest]: readonly string[], by: unknown): unknown {
  if (step === undefined) return by
  if (Array.isArray(value)) {
    return value.map((item, index) => (String(index) === step ? replaced(item, rest, by) : item) as unknown)
  }
  const tree = value as Readonly<Record<string, unknown>>
  return { ...tree, [step]: replaced(tree[step], rest, by) }
}

/** Whether the daemon would take it, with `VALUE` in the environment. */
function loads(tree: unknown, VALUE: string): boolean {
  const readFile = () => 'text'
  try {
    return Boolean(loadConfig('x', { text: JSON.stringify(tree), env: { VALUE }, overrides: [], readFile }))
  } catch (error) {
    if (error instanceof InvalidConfig) return false
    throw error
  }
}

test('it is a schema of draft-07 for the whole file, with a word about each setting', () => {
  const schema = fileSchema()
  expect(schema).toMatchObject({ $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' })
  const settings = (each: unknown): JsonSchema[] => {
    if (typeof each !== 'object' || each === null) return []
    const properties = 'properties' in each ? Object.values(each.properties as object) : []
    return [...(properties as JsonSchema[]), ...Object.values(each).flatMap(settings)]
  }
  const all = settings(schema)
  expect(all.length).toBeGreaterThan(100)
  expect(all.filter(({ description }) => typeof description !== 'string' || description === '')).toEqual([])
  expect(JSON.stringify(schema)).not.toMatch(/"(x-[a-z]+|\$ref)":/)
})

describe('what the daemon takes, the schema takes', () => {
  test.each(globSync('config/*.yaml'))('%s', file => {
    expect(accepts(parse(readFileSync(file, 'utf8'))), JSON.stringify(accepts.errors)).toBe(true)
  })

  const all = paths(withDefaults).filter(path => path.length > 0)

  test('the full example loads as it is parsed here', () => {
    expect(all.length).toBeGreaterThan(60)
    expect(loads(withDefaults, '')).toBe(true)
  })

  test('a placeholder in the place of any value', () => {
    const wrong = all.flatMap(path => {
      const original = path.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], withDefaults)
      const tree = replaced(withDefaults, path, `$\{VALUE}`)
      const text = typeof original === 'string' ? original : JSON.stringify(original)
      return loads(tree, text) && !accepts(tree) ? [path.join('.')] : []
    })
    expect(wrong).toEqual([])
    expect(loads(replaced(withDefaults, ['admin', 'port'], `$\{VALUE}`), '8080')).toBe(true)
  })

  test('no value behind any key, and a key that is not there', () => {
    const wrong = all.flatMap(path => {
      const [empty, absent] = [null, undefined].map(by => replaced(withDefaults, path, by))
      return [empty, JSON.parse(JSON.stringify(absent)) as unknown].flatMap(tree => {
        return loads(tree, '') && !accepts(tree) ? [path.join('.')] : []
      })
    })
    expect(wrong).toEqual([])
    expect(loads(replaced(withDefaults, ['log'], null), '')).toBe(true)
  })

  test.each([
    ['onError', 'fail'],
    ['key', { fields: 'documentKey' }],
    ['key', { fields: ['a', 'b'] }],
  ])('the other forms of %s', (setting, value) => {
    const tree = replaced(withDefaults, ['pipelines', '0', setting], value)
    expect([loads(tree, ''), accepts(tree)]).toEqual([true, true])
  })

  test.each([[true], [false], [{ ca: '/a' }]])('sink.tls: %j', tls => {
    const tree = replaced(withDefaults, ['sink', 'tls'], tls)
    expect([loads(tree, ''), accepts(tree)]).toEqual([true, true])
  })

  test('what the environment may give is not required', () => {
    expect(accepts({ pipelines: [{ name: 'orders' }] })).toBe(true)
  })
})

describe('mistakes are found', () => {
  test.each<[string, string, unknown]>([
    ['an unknown key', 'sink.broker', ['a:1']],
    ['an unknown key of a pipeline', 'pipelines.0.topics', 'a'],
    ['a value of another release', 'sink.type', 'rabbitmq'],
    ['a duration without its unit', 'shutdown.drain', '20'],
    ['a size without its unit', 'limits.inFlightBytes', '16'],
    ['text for a number', 'admin.port', 'http'],
    ['a port that there is not', 'admin.port', 65_536],
    ['text for a list', 'sink.brokers', 'localhost:9092'],
    ['a broker without its port', 'sink.brokers', ['localhost']],
    ['another short form', 'pipelines.0.onError', 'skip'],
    ['text for a section', 'log', 'info'],
    ['no pipelines', 'pipelines', []],
    ['a pipeline without a name', 'pipelines', [{ source: { collections: ['a.b'] } }]],
  ])('%s', (_, path, value) => {
    const tree = replaced(withDefaults, path.split('.'), value)
    expect([loads(tree, ''), accepts(tree)]).toEqual([false, false])
  })
})
