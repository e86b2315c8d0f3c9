import type { Schema } from './json-schema.ts'
import { configSchema } from './schema.ts'
import type { Tree } from './tree.ts'

/** JSON Schema, draft-07. */
export type JsonSchema = Tree

/** Text that is another value once its placeholders are replaced. */
const placeholder = { type: 'string', pattern: '\\$\\{' }
const none = { type: 'null' }
/** What may stand for a whole map (`short-forms.ts`), by the setting's name. */
const shortForms: Readonly<Record<string, readonly string[]>> = { onError: ['fail'] }

/**
 * The schema of a configuration file as people write it, for editors and for charts that hold one: it accepts whatever
 * the daemon may accept. So a placeholder may stand for every value, a key may be without one, and almost nothing is
 * required, since the environment may give it; `validate` knows what is missing. It uses the words of the draft alone,
 * and no references, so that it can be made a part of another schema.
 */
export function fileSchema(): JsonSchema {
  const { $schema, title } = configSchema
  const { description: _, ...root } = section(configSchema)
  const description =
    'Configuration of mongo2kafka. `mongo2kafka validate -c FILE` also checks how settings go together.'
  return { $schema, title, description, ...root, type: 'object', required: ['pipelines'] }
}

/** A map of settings. */
function section(schema: Schema): JsonSchema {
  const entries = Object.entries(schema.properties ?? {}).map(([name, child]) => [name, setting(name, child)])
  return defined({
    ...said(schema),
    type: ['object', 'null'],
    additionalProperties: schema.additionalProperties,
    properties: entries.length > 0 ? Object.fromEntries(entries) : undefined,
  })
}

function setting(name: string, schema: Schema): JsonSchema {
  const isSection = schema.type === 'object' && schema.additionalProperties === false
  const short = shortForms[name]
  if (isSection && !short) return section(schema)
  if (name === 'pipelines') return { ...said(schema), ...list(schema) }
  const forms = short ? [withoutWords(schema), { enum: short }] : [...kinds(schema), none]
  return { ...said(schema), anyOf: [...forms, placeholder] }
}

/** A schema for each type that the value may have: of the limits each then has its own alone. */
function kinds(schema: Schema): JsonSchema[] {
  const { pattern, minLength, maxLength, enum: values, minimum, maximum } = schema
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type
  return types.map(type => {
    if (type === 'string') return defined({ type, enum: values, pattern, minLength, maxLength })
    if (type === 'array') return list(schema)
    if (type === 'object') return { ...withoutWords(schema), type }
    return defined({ type, minimum, maximum })
  })
}

/** The environment knows a pipeline by its name, so that must stand in the file. Texts may have placeholders here too. */
function list({ minItems, maxItems, items }: Schema): JsonSchema {
  const item = items?.type === 'object' ? { ...section(items), type: 'object', required: ['name'] } : undefined
  return defined({
    type: 'array',
    minItems,
    maxItems,
    items: item ?? (items && { anyOf: [...kinds(items), placeholder] }),
  })
}

function withoutWords(schema: Schema): JsonSchema {
  const { description: _, ...rest } = section(schema)
  return rest
}

/** What a person reads about a setting. */
function said(schema: Schema): JsonSchema {
  const range = schema['x-range']
  const words = [
    schema.description,
    range && `From ${range[0]} to ${range[1]}.`,
    schema['x-default'] && `Default: ${schema['x-default']}.`,
    schema['x-secret'] && 'A secret.',
  ]
  const isPlain = schema.default !== undefined && schema.type !== 'object'
  return defined({
    description: words.filter(Boolean).join(' ') || undefined,
    default: isPlain ? schema.default : undefined,
  })
}

function defined(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([, value]) => value !== undefined))
}
