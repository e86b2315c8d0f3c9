import convict from 'convict'
import { parse } from 'yaml'
import type { Environment } from './interpolate.ts'
import type { Schema } from './json-schema.ts'
import { fromPointer } from './pointer.ts'
import { configSchema } from './schema.ts'
import { pipelineSchema } from './schema-pipeline.ts'
import { didYouMean } from './suggest.ts'
import { getOwn, isTree, setOwn, type Tree } from './tree.ts'

/** One setting that can be given from outside the file. */
export interface Setting {
  readonly pointer: string
  readonly variable: string
  /** As `--set` names it: `sink.brokers`, `pipelines.orders.topic`. */
  readonly dotted: string
  readonly schema: Schema
}

export interface Overridden {
  readonly root: Tree
  /** What set a value from outside the file, by pointer. */
  readonly origins: ReadonlyMap<string, string>
  readonly errors: readonly { readonly origin: string; readonly path: string; readonly message: string }[]
}

const prefix = 'M2K_'

/** The environment variable's part for a pipeline's name: `orders-eu` is `ORDERS_EU`. */
export function variablePart(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
}

convict.addFormat({
  name: 'm2k-yaml',
  validate() {}, // ajv validates, with positions.
  coerce(text: string): unknown {
    try {
      return parse(text, { logLevel: 'error' })
    } catch {
      return text // No YAML: ajv says what was expected.
    }
  },
})

/**
 * Puts the environment and the `--set PATH=VALUE` of the command line on top of the file's tree, and turns text into
 * what the schema wants there (an interpolated `${PORT}` is text at first). convict does both; its schema is derived
 * from ours, flat, a key for each pointer. `--set` reaches convict as the setting's variable, since its own reading
 * of arguments would turn a password such as 1e5 into a number.
 * `named` are variables that the file itself names in placeholders: they may begin with M2K_ too.
 */
export function override(
  file: Tree,
  env: Environment,
  sets: readonly string[],
  named: ReadonlySet<string>,
): Overridden {
  const settings = settingsOf(file)
  const variables = new Set(settings.map(setting => setting.variable))
  const errors: { origin: string; path: string; message: string }[] = []
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith(prefix) || name.startsWith('M2K_TEST_') || variables.has(name) || named.has(name)) continue
    const message = `sets nothing: no setting has this name${didYouMean(name, [...variables])}; unset it`
    errors.push({ origin: `environment variable ${name}`, path: '', message })
  }
  const given = new Map<string, { readonly text: string; readonly origin: string }>()
  for (const { pointer, variable } of settings) {
    const text = env[variable]
    if (text !== undefined) given.set(pointer, { text, origin: `environment variable ${variable}` })
  }
  for (const set of sets) {
    const split = set.indexOf('=')
    const dotted = split < 0 ? set : set.slice(0, split)
    const setting = settings.find(candidate => candidate.dotted === dotted)
    if (split < 0) {
      errors.push({ origin: `--set ${dotted}`, path: '', message: 'must be PATH=VALUE, such as sink.type=stdout' })
    } else if (!setting) {
      const known = settings.map(candidate => candidate.dotted)
      errors.push({ origin: `--set ${dotted}`, path: '', message: `no such setting${didYouMean(dotted, known)}` })
    } else if (isSecret(setting, set.slice(split + 1))) {
      const message = `is a secret, and every user of the machine sees the command line: use ${setting.variable}, or ${fileForm} in the file`
      errors.push({ origin: `--set ${dotted}`, path: '', message })
    } else {
      given.set(setting.pointer, { text: set.slice(split + 1), origin: `--set ${dotted}` })
    }
  }
  const root = applied(file, settings, given)
  return { root, origins: new Map([...given].map(([pointer, { origin }]) => [pointer, origin])), errors }
}

const fileForm = '$' + '{file:/path}'

/** A connection string without user and password is none. */
function isSecret({ schema }: Setting, text: string): boolean {
  return schema['x-secret'] === true && !/^mongodb(\+srv)?:\/\/[^@]*$/.test(text)
}

function applied(file: Tree, settings: readonly Setting[], given: ReadonlyMap<string, { text: string }>): Tree {
  const keys: Record<string, convict.SchemaObj<unknown>> = {}
  const env: Record<string, string> = {}
  for (const { pointer, schema } of settings) {
    const format = schema.type === 'string' ? '*' : 'm2k-yaml'
    keys[pointer] = { format, default: undefined, env: pointer }
    const text = given.get(pointer)?.text
    if (text !== undefined) env[pointer] = text
  }
  const values = convict<Record<string, unknown>>(keys, { env, args: [] })
  for (const { pointer } of settings) {
    const value = valueAt(file, fromPointer(pointer))
    // Only text needs coercion; convict's copy of a filter would lose a field named __proto__.
    if (typeof value === 'string') values.set(pointer, value)
  }
  values.load({}) // Environment last: it outranks the file.
  for (const { pointer } of settings) {
    const value: unknown = values.get(pointer)
    if (value !== undefined) setAt(file, fromPointer(pointer), value)
  }
  return file
}

function settingsOf(file: Tree): Setting[] {
  const settings = leaves({ ...configSchema.properties, pipelines: undefined }, '', prefix, '')
  const pipelines = Array.isArray(file.pipelines) ? file.pipelines : []
  const { name: _, ...options } = pipelineSchema.properties
  for (const [index, pipeline] of pipelines.entries()) {
    const name = getOwn(pipeline, 'name')
    if (typeof name !== 'string') continue
    const variable = `${prefix}PIPELINES__${variablePart(name)}__`
    settings.push(...leaves(options, `/pipelines/${index}`, variable, `pipelines.${name}.`))
  }
  return settings
}

/** Every setting below `properties` that holds a value; one that may be an object or not is listed before its parts. */
export function leaves(
  properties: Readonly<Record<string, Schema | undefined>>,
  pointer: string,
  variable: string,
  dotted: string,
): Setting[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    if (!schema) return []
    const own = {
      pointer: `${pointer}/${name}`,
      variable: variable + name.toUpperCase(),
      dotted: dotted + name,
      schema,
    }
    const inner = schema.properties && schema.additionalProperties === false ? schema.properties : undefined
    if (!inner) return [own]
    const below = leaves(inner, own.pointer, `${own.variable}__`, `${own.dotted}.`)
    return schema.type === 'object' ? below : [own, ...below]
  })
}

function valueAt(root: unknown, steps: readonly string[]): unknown {
  return steps.reduce<unknown>((value, step) => getOwn(value, step), root)
}

/**
 * Sets a value deep in the tree. A switch such as `tls: true` gives way to its details; anything else that is no
 * object stays as it is, for the schema to complain about.
 */
function setAt(root: Tree, steps: readonly string[], value: unknown): void {
  let parent: unknown = root
  for (const step of steps.slice(0, -1)) {
    const child = getOwn(parent, step)
    if (child !== undefined && typeof child !== 'boolean') {
      parent = child
      continue
    }
    if (!isTree(parent)) return
    const created: Tree = {}
    setOwn(parent, step, created)
    parent = created
  }
  if (isTree(parent)) setOwn(parent, steps.at(-1)!, value)
}
