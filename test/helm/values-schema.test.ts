import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { isMap, layered, readChart, valuesFiles } from './chart.ts'
import { commentsOf } from './values-file.ts'
import { secretPaths, valuesSchema, withoutLookAhead } from './values-schema.ts'

const valuesYaml = readChart('values.yaml')
const schema = valuesSchema(valuesYaml)
// biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the configuration.
const placeholder = '${VARIABLE}'
const defaults: unknown = parse(valuesYaml)
const validate = new Ajv({ allErrors: true, strictTypes: false }).compile(schema)

function problems(values: unknown): string[] {
  return validate(values) ? [] : (validate.errors ?? []).map(error => `${error.instancePath} ${error.message}`)
}

test('values.schema.json is up to date; else: node test/helm/write.ts', () => {
  expect(JSON.parse(readChart('values.schema.json'))).toEqual(JSON.parse(JSON.stringify(schema)))
})

test('the defaults are valid', () => {
  expect(problems(defaults)).toEqual([])
})

test.each(valuesFiles())('the values of ci/$name-values.yaml are valid', ({ values }) => {
  expect(problems(layered(defaults, values))).toEqual([])
})

test.each([
  ['a value that does not exist', { replicasCount: 2 }, 'must NOT have additional properties'],
  ['a setting that does not exist', { config: { sink: { borkers: [] } } }, 'must NOT have additional properties'],
  ['autoscaling to zero', { autoscaling: { minReplicas: 0 } }, 'must be >= 1'],
  ['a digest that is none', { image: { digest: 'latest' } }, 'must match pattern'],
  ['a number as text', { replicaCount: '2' }, 'must be integer'],
  ['a placeholder that templates would have to compute with', { config: { admin: { port: placeholder } } }, 'must be'],
  ['a drain without a unit', { config: { shutdown: { drain: '20' } } }, 'must match pattern'],
  ['a mount without a path', { secretMounts: [{ secret: 'tls' }] }, "must have required property 'path'"],
])('%s is refused', (_, values, message) => {
  expect(problems(layered(defaults, values)).join('\n')).toContain(message)
})

test('a placeholder elsewhere is welcome', () => {
  expect(problems(layered(defaults, { config: { sink: { brokers: [placeholder] } } }))).toEqual([])
})

test('every value has a description', () => {
  const described = new Set(commentsOf(valuesYaml).map(({ path }) => path))
  const leaves = (value: unknown, path: string): string[] => {
    if (described.has(path) && path !== 'config') return []
    if (!isMap(value) || Object.keys(value).length === 0) return [path]
    return Object.entries(value).flatMap(([key, child]) => leaves(child, path === '' ? key : `${path}.${key}`))
  }
  expect(leaves(defaults, '')).toEqual([])
})

test('the templates know every setting that is a secret', () => {
  const paths = /define "mongo2kafka.secretPaths" -}}\n(.*)\n/.exec(readChart('templates/_validate.tpl'))?.[1] ?? ''
  expect(JSON.parse(paths)).toEqual(secretPaths())
})

describe('patterns for Helm', () => {
  test.each([
    ['^(?!\\.{1,2}$)([A-Z]|\\{db\\})+$', '^([A-Z]|\\{db\\})+$'],
    ['^(?!a(b|c)\\)$)(?!d)x$', '^x$'],
    ['^[a-z]+$', '^[a-z]+$'],
  ])('%s becomes %s', (pattern, plain) => {
    expect(withoutLookAhead(pattern)).toBe(plain)
  })

  test('have nothing left that Go cannot read', () => {
    expect(JSON.stringify(schema)).not.toMatch(/\(\?[=!<]/)
  })
})
