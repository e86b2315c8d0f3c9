import { type ConfigInput, type LoadedConfig, loadWithOrigins } from './config.ts'
import { interpolate } from './interpolate.ts'
import type { Schema } from './json-schema.ts'
import { fromPointer } from './pointer.ts'
import type { Config } from './schema.ts'
import { configSchema } from './schema.ts'
import { getOwn, isTree, merge, setOwn, type Tree } from './tree.ts'
import { readYaml, type YamlText } from './yaml-text.ts'

/** What a value in the file was put together from. */
export type Placeholder =
  /** `isSet`: false where it is absent or empty, and the placeholder's own default stands for it, if it has one. */
  { readonly variable: string; readonly isSet: boolean } | { readonly file: string }

/** What decided a value. */
export type Origin =
  | {
      readonly kind: 'file'
      readonly file: string
      /** From 1, as `column`. */
      readonly line: number
      readonly column: number
      readonly placeholders: readonly Placeholder[]
    }
  | { readonly kind: 'environment'; readonly variable: string }
  /** `option`: such as `--set sink.type`. */
  | { readonly kind: 'option'; readonly option: string }
  | { readonly kind: 'default' }

/** A configuration as it is in effect, written as files are, that may be shown to anybody (G9). */
export interface PrintedConfig {
  readonly file: string
  /** In the order of the schema; `defaults` are merged into the pipelines, secrets are `[redacted]`. */
  readonly config: Tree
  /** By pointer, of every value in `config` that is no map with something in it, and no list of such maps. */
  readonly origins: ReadonlyMap<string, Origin>
}

const redacted = '[redacted]'

/** The configuration that `loadConfig` would give, with the origin of each value. Throws InvalidConfig as it does. */
export function printConfig(file: string, input: ConfigInput): PrintedConfig {
  const loaded = loadWithOrigins(file, input)
  const origins = new Map<string, Origin>()
  const finder = new OriginFinder(file, input, loaded)
  const { defaults: _, ...root } = withComputed(loaded)
  const onValue = (pointer: string) => void origins.set(pointer, finder.originOf(pointer))
  return { file, config: shown(configSchema, root, '', onValue) as Tree, origins }
}

/** Some defaults depend on other settings, and a broker entry may name several: only `resolve` knows them. */
function withComputed({ root, config }: LoadedConfig): Tree {
  const { sink, checkpoint }: Config = config
  const pipelines = (root.pipelines as readonly Tree[]).map((pipeline, index) => {
    return { ...pipeline, tombstones: config.pipelines[index]?.tombstones }
  })
  const computed = {
    sink: { brokers: sink.brokers, clientId: sink.clientId },
    checkpoint: { topic: checkpoint.topic },
    pipelines,
  }
  return merge(root, computed) as Tree
}

/** `value` in the order of its schema and without secrets; tells the pointer of everything that has an origin. */
function shown(
  schema: Schema | undefined,
  value: unknown,
  pointer: string,
  onValue: (pointer: string) => void,
): unknown {
  const isList = Array.isArray(value) && value.length > 0 && value.every(isTree) && schema?.items !== undefined
  if (isList) return value.map((item, index) => shown(schema.items, item, `${pointer}/${index}`, onValue))
  if (!isTree(value) || Object.keys(value).length === 0) {
    onValue(pointer)
    return schema?.['x-secret'] ? redacted : value
  }
  const declared = Object.keys(schema?.properties ?? {})
  const ordered = new Set([...declared.filter(key => Object.hasOwn(value, key)), ...Object.keys(value)])
  const result: Tree = {}
  for (const key of ordered) {
    const child = value[key]
    if (child === undefined) continue
    const inner = schema?.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined
    setOwn(result, key, shown(inner, child, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, onValue))
  }
  return result
}

class OriginFinder {
  readonly #file: string
  readonly #input: ConfigInput
  readonly #loaded: LoadedConfig
  /** The file as it is written, placeholders and all. */
  readonly #raw: YamlText

  constructor(file: string, input: ConfigInput, loaded: LoadedConfig) {
    this.#file = file
    this.#input = input
    this.#loaded = loaded
    this.#raw = readYaml(input.text, text => ({ text, errors: [] }))
  }

  /** `pointer` is one of the resolved tree: what a pipeline does not say itself, `defaults` may say. */
  originOf(pointer: string): Origin {
    for (const layer of [pointer, pointer.replace(/^\/pipelines\/\d+/, '/defaults')]) {
      if (valueAt(this.#loaded.given, layer) === undefined) continue
      return this.#outside(layer) ?? this.#inFile(layer) ?? { kind: 'default' }
    }
    return { kind: 'default' }
  }

  /** The variable or option that set it, or the whole that it is a part of. */
  #outside(pointer: string): Origin | undefined {
    for (const around of selfAndAround(pointer)) {
      const by = this.#loaded.overridden.get(around)
      if (by === undefined) continue
      const variable = /^environment variable (.+)$/.exec(by)?.[1]
      return variable === undefined ? { kind: 'option', option: by } : { kind: 'environment', variable }
    }
    return undefined
  }

  /** The place of the value, or of the text that it is a part of: a placeholder may stand for a whole map. */
  #inFile(pointer: string): Origin | undefined {
    for (const around of selfAndAround(pointer)) {
      const place = this.#raw.values.get(around)
      const written = valueAt(this.#raw.root, around)
      if (place === undefined || (around !== pointer && isTree(written))) continue
      return { kind: 'file', file: this.#file, ...place, placeholders: this.#placeholdersIn(written) }
    }
    return undefined
  }

  #placeholdersIn(written: unknown): readonly Placeholder[] {
    if (Array.isArray(written) || isTree(written)) {
      return Object.values(written).flatMap(child => this.#placeholdersIn(child))
    }
    if (typeof written !== 'string') return []
    const found: Placeholder[] = []
    interpolate(written, {
      env: {},
      readFile: file => {
        found.push({ file })
        return ''
      },
      onVariable: variable => found.push({ variable, isSet: Boolean(getOwn(this.#input.env, variable)) }),
    })
    return found
  }
}

/** `/a/b/c`, `/a/b`, `/a`. */
function selfAndAround(pointer: string): string[] {
  const steps = pointer.split('/').slice(1)
  return steps.map((_, index) => `/${steps.slice(0, steps.length - index).join('/')}`)
}

function valueAt(root: unknown, pointer: string): unknown {
  return fromPointer(pointer).reduce((value, step) => getOwn(value, step), root)
}
