import { Ajv, type AnySchemaObject, type ErrorObject } from 'ajv'
import type { Schema } from './json-schema.ts'
import { configSchema } from './schema.ts'
import { didYouMean } from './suggest.ts'
import { durationMs, sizeBytes, timeMs } from './units.ts'

/** What is wrong with one value. `atKey`: the key is wrong, not its value. */
export interface Finding {
  readonly pointer: string
  readonly message: string
  readonly atKey?: boolean
}

const units = { duration: durationMs, size: sizeBytes, time: timeMs }

const ajv = new Ajv({ allErrors: true, useDefaults: true, verbose: true, allowUnionTypes: true })
for (const keyword of ['x-expected', 'x-default', 'x-secret', 'x-range']) ajv.addKeyword(keyword)
ajv.addKeyword({
  keyword: 'x-unit',
  type: 'string',
  validate: unitInRange,
})
const validate = ajv.compile(configSchema)

/** What does not even match the pattern is the pattern's to report. */
function unitInRange(unit: keyof typeof units, text: string, schema?: AnySchemaObject): boolean {
  const { pattern, 'x-range': range } = schema as Schema
  if (pattern !== undefined && !new RegExp(pattern).test(text)) return true
  const value = units[unit](text)
  if (Number.isNaN(value)) return false
  return !range || (value >= units[unit](range[0]) && value <= units[unit](range[1]))
}

/** Everything in `root` that the schema does not allow. Fills in the schema's defaults. Never quotes a secret. */
export function check(root: unknown): Finding[] {
  if (validate(root)) return []
  return (validate.errors ?? []).map(finding)
}

function finding(error: ErrorObject): Finding {
  const pointer = error.instancePath
  const schema = error.parentSchema as Schema
  const parameters = error.params as Readonly<Record<string, unknown>>
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(parameters.additionalProperty)
      const supported = Object.keys(schema.properties ?? {})
      const message = `unknown key; supported here: ${supported.join(', ')}${didYouMean(key, supported)}`
      return { pointer: `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, message, atKey: true }
    }
    case 'required': {
      const key = String(parameters.missingProperty)
      const what = schema.properties?.[key]?.description
      return { pointer: `${pointer}/${key}`, message: `is missing${what ? `: ${what}` : ''}`, atKey: true }
    }
    case 'enum': {
      const supported = schema.enum ?? []
      const close = didYouMean(String(error.data), supported)
      return { pointer, message: `not supported; supported in this release: ${supported.join(', ')}${close}` }
    }
    case 'pattern':
      return { pointer, message: `must be ${schema['x-expected'] ?? `text that matches ${schema.pattern}`}` }
    case 'type':
      return { pointer, message: typeMessage(schema, error.data) }
    case 'x-unit': {
      const range = schema['x-range']
      return { pointer, message: range ? `must be from ${range[0]} to ${range[1]}` : 'must be a time that exists' }
    }
    default:
      return { pointer, message: limitMessage(error.keyword, parameters.limit) ?? error.message ?? 'is invalid' }
  }
}

const typeNames: Readonly<Record<string, string>> = {
  object: 'settings (key: value)',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
}

function typeMessage(schema: Schema, data: unknown): string {
  if (schema['x-expected']) return `must be ${schema['x-expected']}`
  const types: readonly string[] = typeof schema.type === 'string' ? [schema.type] : schema.type
  const quotes = types.includes('string') && (typeof data === 'number' || typeof data === 'boolean')
  const names = types.map(type => typeNames[type] ?? type).join(' or ')
  return `must be ${names}${quotes ? ': put the value into quotes' : ''}`
}

function limitMessage(keyword: string, limit: unknown): string | undefined {
  switch (keyword) {
    case 'minLength':
      return 'must not be empty'
    case 'maxLength':
      return `must have at most ${limit} characters`
    case 'minItems':
      return 'must have at least one entry'
    case 'maxItems':
      return `must have at most ${limit} entries`
    case 'minimum':
      return `must be at least ${limit}`
    case 'maximum':
      return `must be at most ${limit}`
    default:
      return undefined
  }
}
