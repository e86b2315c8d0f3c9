import { check, type Finding } from './check.ts'
import { type Environment, interpolate } from './interpolate.ts'
import type { Schema } from './json-schema.ts'
import { type Overridden, override } from './overrides.ts'
import { toWords } from './pointer.ts'
import { InvalidConfig, type Problem } from './problem.ts'
import { resolve } from './resolve.ts'
import { checkRules } from './rules.ts'
import { type Config, configSchema } from './schema.ts'
import { withoutShortForms } from './short-forms.ts'
import { isTree, merge, structuredCopy, type Tree } from './tree.ts'
import { readYaml, type YamlText } from './yaml-text.ts'

/** Everything that a configuration is made of. */
export interface ConfigInput {
  /** The YAML. */
  readonly text: string
  readonly env: Environment
  /** `PATH=VALUE` of each `--set`; the last one of a path counts. */
  readonly overrides: readonly string[]
  /** For `${file:…}`; throws where it cannot read. */
  readonly readFile: (path: string) => string
}

/** A configuration, and what is known of where its values are from. */
export interface LoadedConfig {
  readonly config: Config
  /** As files have it, with `defaults` merged into the pipelines and every default filled in; units are text. */
  readonly root: Tree
  /** The file with the overrides on top, before `defaults` were merged and the schema's own filled in. */
  readonly given: Tree
  readonly yaml: YamlText
  /** What set a value from outside the file, by pointer in `given`. */
  readonly overridden: ReadonlyMap<string, string>
}

/**
 * The resolved, frozen configuration of `input`; `file` is its name in messages. Later ones outrank earlier ones:
 * the schema's defaults, `defaults`, the pipeline, the environment, `--set`. Throws InvalidConfig with every problem.
 */
export function loadConfig(file: string, input: ConfigInput): Config {
  return loadWithOrigins(file, input).config
}

/** As `loadConfig`, with what is needed to say where each value is from. */
export function loadWithOrigins(file: string, input: ConfigInput): LoadedConfig {
  const named = new Set<string>()
  const from = { env: input.env, readFile: input.readFile, onVariable: (name: string) => named.add(name) }
  const yaml = readYaml(input.text, text => interpolate(text, from))
  const problems: Problem[] = yaml.errors.map(({ place, pointer, message }) => {
    return { origin: file, ...place, path: toWords(pointer), message }
  })
  const tree = isTree(yaml.root) ? (withoutNulls(configSchema, yaml.root) as Tree) : {}
  const overridden = override(withoutShortForms(tree), input.env, input.overrides, named)
  for (const error of overridden.errors) problems.push({ ...error, line: undefined, column: undefined })
  const given = structuredCopy(overridden.root) as Tree // The check below fills in defaults, in place.
  const root = withDefaults(overridden.root)
  for (const finding of [...check(root), ...checkRules(root)]) {
    // What could not be replaced or parsed is reported already, and is not what was meant.
    if (!yaml.errors.some(error => error.pointer === '' || error.pointer === finding.pointer)) {
      problems.push(problemOf(finding, file, yaml, overridden))
    }
  }
  if (problems.length > 0) throw new InvalidConfig(inOrder(problems))
  return { config: resolve(root), root, given, yaml, overridden: overridden.origins }
}

/** A key without a value counts as absent, except in what is free-form, where null is a value (a filter). */
function withoutNulls(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map(item => (schema.items ? withoutNulls(schema.items, item) : item))
  const { properties } = schema
  if (!isTree(value) || !properties) return value
  for (const [key, child] of Object.entries(value)) {
    const inner = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (child === null && inner) delete value[key]
    else if (inner) value[key] = withoutNulls(inner, child)
  }
  return value
}

function withDefaults(root: Tree): Tree {
  const pipelines = root.pipelines
  if (!Array.isArray(pipelines) || !isTree(root.defaults)) return root
  const merged = pipelines.map(pipeline => (isTree(pipeline) ? merge(root.defaults, pipeline) : pipeline))
  return { ...root, pipelines: merged }
}

/** Where a finding comes from: an override, the pipeline itself, `defaults`, or the closest thing around it. */
function problemOf(finding: Finding, file: string, yaml: YamlText, { origins }: Overridden): Problem {
  const inDefaults = finding.pointer.replace(/^\/pipelines\/\d+/, '/defaults')
  const own = { path: toWords(finding.pointer), message: finding.message }
  for (let pointer of [finding.pointer, inDefaults]) {
    for (; pointer !== ''; pointer = pointer.slice(0, pointer.lastIndexOf('/'))) {
      const origin = origins.get(pointer)
      if (origin) return { origin, line: undefined, column: undefined, ...own }
    }
  }
  const places = finding.atKey ? [yaml.keys, yaml.values] : [yaml.values, yaml.keys]
  for (const pointer of [finding.pointer, inDefaults]) {
    const place = places[0]!.get(pointer) ?? places[1]!.get(pointer)
    if (place) return { origin: file, ...place, ...own, path: toWords(pointer) }
  }
  let around = finding.pointer
  do around = around.slice(0, around.lastIndexOf('/'))
  while (around !== '' && !yaml.values.has(around))
  const place = yaml.keys.get(around) ?? yaml.values.get(around) ?? { line: 1, column: 1 }
  return { origin: file, ...place, ...own }
}

/** By line and column, what is not from the file last; the same finding through several pipelines once. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map(problem => [JSON.stringify(problem), problem]))
  return [...unique.values()].sort(
    (a, b) =>
      (a.line ?? Number.MAX_SAFE_INTEGER) - (b.line ?? Number.MAX_SAFE_INTEGER) ||
      (a.column ?? 0) - (b.column ?? 0) ||
      Buffer.compare(Buffer.from(a.origin), Buffer.from(b.origin)),
  )
}
