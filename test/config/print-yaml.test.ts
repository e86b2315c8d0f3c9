import { globSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { printConfig } from '../../src/config/print.ts'
import { originWords, printedYaml } from '../../src/config/print-yaml.ts'

const dollar = '$'
const uri = 'mongodb://localhost/'
const readFile = () => 'from-a-file'

test('a line a value, its origin behind it', () => {
  const text = `name: shop
mongodb: { uri: '${dollar}{MONGODB_URI}' }
sink: { brokers: [localhost:9092] }
pipelines:
  - name: orders
    source: { collections: ['/^a, b$/'], filter: { a: '$${dollar}{b}' } }
    topic: '{db}.{collection}'
`
  const env = { MONGODB_URI: 'mongodb://u:hunter2@h/', M2K_LOG__LEVEL: 'debug' }
  const input = { text, env, overrides: ['admin.port=0'], readFile }
  const printed = printedYaml(printConfig('shop.yaml', input)).split('\n')
  expect(printed[0]).toBe('# shop.yaml as it is in effect; secrets are not shown.')
  const line = (start: string) => printed.find(each => each.startsWith(start))?.replaceAll(/ {2,}#/g, ' #')
  expect(line('name')).toBe('name: shop # shop.yaml:1')
  expect(line('  uri')).toBe(`  uri: "[redacted]" # shop.yaml:2, ${dollar}{MONGODB_URI}`)
  expect(line('  brokers')).toBe('  brokers: [localhost:9092] # shop.yaml:3')
  expect(line('  level')).toBe('  level: debug # environment variable M2K_LOG__LEVEL')
  expect(line('  port')).toBe('  port: 0 # --set admin.port')
  expect(line('  host')).toBe('  host: 127.0.0.1 # default')
  const pipelines = printed.slice(printed.indexOf('pipelines:'), printed.indexOf('pipelines:') + 5)
  expect(pipelines.map(each => each.replaceAll(/ {2,}#/g, ' #'))).toEqual([
    'pipelines:',
    '  - name: orders # shop.yaml:5',
    '    source:',
    '      collections: ["/^a, b$/"] # shop.yaml:6',
    '      filter:',
  ])
  expect(printed.join('\n')).not.toContain('hunter2')
  const columns = new Set(printed.slice(1, 8).flatMap(each => (each.includes(' # ') ? [each.indexOf(' # ')] : [])))
  expect(columns.size).toBe(1)
})

/** Without what is written in its place; `secrets` are put where files have them. */
function again(file: string, text: string, env: Readonly<Record<string, string>>) {
  const printed = printedYaml(printConfig(file, { text, env, overrides: [], readFile }))
  return printed.replaceAll(/^(\s*uri: )"\[redacted\]"/gm, `$1${uri}`).replaceAll('"[redacted]"', 'a-secret')
}

/** A configuration without its secrets' values. */
function load(text: string, env: Readonly<Record<string, string>> = {}) {
  return JSON.parse(JSON.stringify(loadConfig('x.yaml', { text, env, overrides: [], readFile }))) as unknown
}

describe('what is printed means the same as the file', () => {
  test.each(globSync('config/*.yaml'))('%s', file => {
    const text = readFileSync(file, 'utf8')
    const env = { MONGODB_URI: uri, KAFKA_BROKERS: 'a:1,b:2' }
    expect(load(again(file, text, env))).toEqual(load(text, env))
  })

  test('whatever stands in a filter', () => {
    const key = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 5 }))
    const leaf = fc.oneof(key, fc.constant(`a${dollar}{b}`), fc.integer(), fc.boolean(), fc.constant(null))
    const { tree } = fc.letrec(tie => ({
      tree: fc.oneof(leaf, fc.array(tie('tree'), { maxLength: 3 }), fc.dictionary(key, tie('tree'), { maxKeys: 3 })),
    }))
    fc.assert(
      fc.property(fc.dictionary(key, tree, { maxKeys: 4 }), filter => {
        const source = { collections: ['a.b'], filter: literal(filter) }
        const text = JSON.stringify({
          name: 'n',
          mongodb: { uri },
          sink: { brokers: ['a:1'] },
          pipelines: [{ name: 'p', source }],
        })
        expect(load(again('x.yaml', text, {}))).toEqual(load(text))
      }),
      { numRuns: 150 },
    )
  })
})

/** As a file has to write it, so that it is no placeholder. */
function literal(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll(`${dollar}{`, () => `$${dollar}{`)
  if (Array.isArray(value)) return value.map(literal)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, literal(child)]))
}

test('the words of an origin stay in their line', () => {
  const placeholders = [{ file: '/a\nb' }, { variable: 'X', isSet: false }]
  const origin = { kind: 'file', file: 'a\u001b.yaml', line: 3, column: 1, placeholders } as const
  expect(originWords(origin)).toBe(`a .yaml:3, ${dollar}{file:/a b}, ${dollar}{X} is not set`)
})
