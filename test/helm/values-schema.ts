import { parse } from 'yaml'
import { fileSchema } from '../../src/config/print-schema.ts'
import { configSchema } from '../../src/config/schema.ts'
import { isMap, type Values } from './chart.ts'
import { commentsOf } from './values-file.ts'

type Schema = Readonly<Record<string, unknown>>

/** What a default alone does not say about a value. */
const limits: Readonly<Record<string, Schema>> = {
  'image.digest': { pattern: '^(sha256:[a-f0-9]{64})?$' },
  'image.pullPolicy': { enum: ['Always', 'IfNotPresent', 'Never'] },
  'image.repository': { minLength: 1 },
  replicaCount: { minimum: 0 },
  configReload: { enum: ['hot', 'restart'] },
  existingConfigMapKey: { pattern: '^[A-Za-z0-9._-]+$' },
  secretMounts: {
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['secret', 'path'],
      properties: { secret: { type: 'string', minLength: 1 }, path: { type: 'string', pattern: '^/' } },
    },
  },
  extraObjects: { items: { type: ['object', 'string'] } },
  terminationGracePeriodSeconds: { minimum: 0 },
  minReadySeconds: { minimum: 0 },
  revisionHistoryLimit: { minimum: 0 },
  'persistence.accessModes': { minItems: 1, items: { type: 'string' } },
  'service.type': { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
  'service.port': { minimum: 1, maximum: 65_535 },
  'podDisruptionBudget.maxUnavailable': { type: ['integer', 'string'] },
  'podDisruptionBudget.unhealthyPodEvictionPolicy': { enum: ['AlwaysAllow', 'IfHealthyBudget'] },
  'autoscaling.type': { enum: ['keda', 'hpa'] },
  'autoscaling.minReplicas': { minimum: 1 },
  'autoscaling.maxReplicas': { minimum: 0 },
  'autoscaling.lagSeconds': { type: 'number', exclusiveMinimum: 0 },
  'autoscaling.busyRatio': { exclusiveMinimum: 0, maximum: 1 },
  'autoscaling.throttledRatio': { minimum: 0 },
  'autoscaling.keda.pollingInterval': { minimum: 1 },
}

/** Maps with keys of Kubernetes' or of the user, so that any key is right, though they have defaults. */
const openMaps = [
  'podSecurityContext',
  'securityContext',
  'resources',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'dashboard.labels',
  'autoscaling.behavior',
]

/**
 * JSON Schema of the chart's values, draft-07: names, types and descriptions are those of `valuesYaml`, and the
 * configuration is what the schema of the configuration says, so that nothing is said twice.
 */
export function valuesSchema(valuesYaml: string): Schema {
  const words = new Map(commentsOf(valuesYaml).map(({ path, description }) => [path, description]))
  const shape = map('', parse(valuesYaml) as Values, words)
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart mongo2kafka',
    ...shape,
    // Helm hands the values of a parent chart down by this name.
    properties: { global: { type: 'object' }, ...(shape.properties as Schema) },
  }
}

function map(path: string, values: Values, words: ReadonlyMap<string, string>): Schema {
  const properties = Object.entries(values).map(([key, value]) => {
    const child = path === '' ? key : `${path}.${key}`
    return [key, child === 'config' ? configuration(words) : described(child, value, words)]
  })
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) }
}

function described(path: string, value: unknown, words: ReadonlyMap<string, string>): Schema {
  const description = words.get(path)?.replace(/^\([^)]*\) /, '')
  return { ...(description && { description }), ...typed(path, value, words), ...limits[path] }
}

function typed(path: string, value: unknown, words: ReadonlyMap<string, string>): Schema {
  if (Array.isArray(value)) return { type: 'array' }
  if (isMap(value)) {
    const isOpen = openMaps.includes(path) || Object.keys(value).length === 0
    return isOpen ? { type: 'object' } : map(path, value, words)
  }
  const isWhole = Number.isInteger(value) && !path.startsWith('prometheusRule.')
  const type = isWhole ? 'integer' : typeof value
  return { type, default: value }
}

/**
 * `config`: the file's own schema, with nothing required, as the file may come from a ConfigMap of the user. What
 * templates compute with must be there itself, and no placeholder for it.
 */
function configuration(words: ReadonlyMap<string, string>): Schema {
  const { $schema: _, title: __, required: ___, properties, ...rest } = readableByHelm(fileSchema()) as Schema
  const sections = properties as Readonly<Record<string, Schema>>
  const plain: Record<string, Schema> = {}
  for (const [section, names] of [
    ['workers', ['slots', 'coordination']],
    ['shutdown', ['drain']],
    ['admin', ['host', 'port']],
  ] as const) {
    const ours = Object.fromEntries(names.map(name => [name, plainSetting(section, name, words)]))
    const theirs = sections[section] ?? {}
    plain[section] = { ...theirs, type: 'object', properties: { ...(theirs.properties as Schema), ...ours } }
  }
  const description = words.get('config')?.replace(/^\([^)]*\) /, '')
  return { ...rest, description, type: 'object', properties: { ...sections, ...plain } }
}

function plainSetting(section: 'workers' | 'shutdown' | 'admin', name: string, words: ReadonlyMap<string, string>) {
  const settings: Readonly<Record<string, Schema>> = configSchema.properties[section].properties
  const description = words.get(`config.${section}.${name}`)
  const entries = Object.entries({ ...settings[name], ...(description && { description }) })
  return readableByHelm(Object.fromEntries(entries.filter(([key]) => !key.startsWith('x-')))) as Schema
}

/**
 * Helm reads patterns with Go's RE2, which knows no look-ahead; what it forbids is left to the daemon. Its own words are
 * no part of the draft.
 */
function readableByHelm(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(readableByHelm)
  if (!isMap(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === 'pattern' && typeof value === 'string' ? withoutLookAhead(value) : readableByHelm(value),
    ]),
  )
}

/** `pattern` without its `(?!…)` groups. */
export function withoutLookAhead(pattern: string): string {
  const start = pattern.indexOf('(?!')
  if (start < 0) return pattern
  let depth = 0
  for (let at = start; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') at += 1
    else if (pattern[at] === '(') depth += 1
    else if (pattern[at] === ')') depth -= 1
    if (depth === 0) return withoutLookAhead(pattern.slice(0, start) + pattern.slice(at + 1))
  }
  throw new Error(`${pattern} has a group without an end`)
}

/** Paths of settings that are secrets, such as `mongodb.uri`, sorted. Those of pipelines would be a new case. */
export function secretPaths(): string[] {
  const walk = (schema: Schema, path: string): string[] => {
    if (schema['x-secret'] === true) return [path]
    const children = isMap(schema.properties) ? Object.entries(schema.properties) : []
    return children.flatMap(([key, child]) => walk(child as Schema, path === '' ? key : `${path}.${key}`))
  }
  return walk(configSchema, '').toSorted()
}
