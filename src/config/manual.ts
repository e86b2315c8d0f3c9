import type { Schema } from './json-schema.ts'
import { leaves, type Setting } from './overrides.ts'
import { configSchema } from './schema.ts'
import { pipelineOptions } from './schema-pipeline.ts'

const introduction = `# Configuration

This page is generated from the schema in \`src/config/\`; a test compares them. \`config/minimal.yaml\` is the least
that works, \`config/full.yaml\` has every option.

- \`mongo2kafka validate -c FILE\` checks a file alone and reports every problem at once, each as
  \`FILE:LINE:COLUMN path: message\`.
- \`mongo2kafka config print -c FILE\` shows what is in effect, without secrets, and behind each value where it is from:
  a line of the file, an environment variable, \`--set\`, or the default. \`--json\` is for scripts.
- \`mongo2kafka config schema\` prints the JSON Schema (draft-07) of such files. Editors that know YAML schemas complete and
  check with it: save it as \`mongo2kafka.schema.json\`, and begin the file with
  \`# yaml-language-server: $schema=mongo2kafka.schema.json\`. It takes whatever may be right, so \`validate\` finds more.

## Values

- **Units.** Durations are \`250ms\`, \`10s\`, \`5m\`, \`1h\` or \`1d\`; sizes \`512KiB\`, \`1MiB\` (binary) or \`1MB\`
  (decimal).
- **Placeholders.** \`\${NAME}\` is the environment variable, \`\${NAME:-default}\` the default where it is absent or
  empty, \`\${file:/path}\` a file's text without its last newline. They are replaced inside parsed values, never in keys
  or in the text of the file, so no value can change the structure. A variable that is absent and has no default is an
  error. \`$\${\` stands for \`\${\` itself.
- **Unknown keys and values are errors**, those of later releases too; the message lists what is supported.
- **Null.** A key without a value counts as absent.
- **Secrets** (\`mongodb.uri\`, \`checkpoint.uri\`, \`sink.sasl.password\`, \`admin.token\`) are printed nowhere, in no error either.

## Who sets what

Later ones outrank earlier ones: the default, \`defaults\` (for pipelines), the file, the environment, \`--set\`.

- **Environment:** each setting has the variable of the table; a pipeline's is \`M2K_PIPELINES__NAME__…\` with its name
  in upper case and every other character than letters and digits as \`_\`: \`M2K_PIPELINES__ORDERS__TOPIC\`. Text is
  taken as it is; lists, numbers, switches and maps are YAML: \`M2K_SINK__BROKERS='[a:9092, b:9092]'\`. Lists and maps
  replace those of the file. A variable that begins with \`M2K_\` and names no setting is an error, unless the file
  itself names it in a placeholder; those with \`M2K_TEST_\` are left alone.
- **Command line:** \`--set PATH=VALUE\`, any number of times, values as in the environment:
  \`--set sink.type=stdout --set pipelines.orders.partitions=6\`.
`

const closing = `## How settings go together

- \`sink.type: kafka\` needs \`sink.brokers\`; \`sink.type: stdout\` needs \`checkpoint.store: file\`.
- \`delivery: exactly-once\` needs \`sink.type: kafka\` with transactions, which \`sink.client: kafkajs\` cannot do, and
  \`checkpoint.store: kafka\`.
- \`checkpoint.store: file\` needs \`checkpoint.path\` and is for one worker with one slot; \`checkpoint.store: mongodb\`
  needs \`checkpoint.uri\`, and no pipeline may read the collection of the checkpoints.
- \`workers.coordination: kafka\` needs \`sink.type: kafka\`; \`static\` needs \`workers.replicas\`, at most as many as
  \`workers.slots\`, and \`workers.ordinal\` is less than it; both are for \`static\` alone.
- \`workers.slots\` is fixed when the deployment starts for the first time: a document's slot must not change.
- \`sink.tls.cert\` and \`sink.tls.key\` go together.
- \`retry.initial\` is at most \`retry.max\`.
- Names of pipelines differ, and not only in case or punctuation.
- \`onError: fail\` stands for \`fail\` at both of its reasons. What a dead letter is, and what to do with one, is in
  [dead-letters.md](dead-letters.md); its topic must be another one than \`topic\`.
- In shape \`document\` a delete is a tombstone, so \`tombstones: false\` is refused there.

## Changes while it runs

The file is watched, and SIGHUP asks for it to be loaded again; files that it names are read again too, the environment
is that of the start. What changes in \`pipelines\` and \`defaults\` is taken over while everything else goes on:

- A pipeline that is not changed is not touched.
- A new one starts, from \`source.startAt\` or from the position that it had when it was removed.
- One that is gone is drained and stops. Its position stays in the checkpoint store.
- A changed one is drained and starts anew from its own position, also with another filter or other collections: nothing
  is lost or repeated, and changes that the new filter lets through count from that position on.
- One that is paused stays paused; after a restart of the daemon it is not.

A file with a problem, or one that changes another setting, changes nothing at all: the log, the status page and the
metric \`config_last_reload_successful\` say so and why.
`

/** docs/configuration.md, from the schema. */
export function manual(): string {
  const { defaults: _, pipelines, ...root } = configSchema.properties
  const options = leaves(pipelineOptions, '', 'M2K_PIPELINES__NAME__', '')
  return [
    introduction,
    '## Settings\n',
    table(leaves(root, '', 'M2K_', ''), configSchema),
    `## Pipelines\n\n\`pipelines\` is a list of at most ${pipelines.maxItems}. Each has a \`name\` of letters, digits, dots,`,
    'underscores and hyphens, and the settings below. `defaults` takes the same settings (environment:',
    '`M2K_DEFAULTS__…`) and lies under every pipeline, merged key by key; lists are replaced.\n',
    table(options, pipelines.items),
    closing,
  ].join('\n')
}

function table(settings: readonly Setting[], root: Schema): string {
  const lines = settings.map(({ dotted, variable, schema }) => {
    const cells = [`\`${dotted}\``, kind(schema), fallback(schema, dotted, root), describe(schema), `\`${variable}\``]
    return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| Setting | Value | Default | What it is | Variable |', '|---|---|---|---|---|', ...lines, ''].join('\n')
}

function describe(schema: Schema): string {
  const range = schema['x-range']
  const limits = range ? ` From ${range[0]} to ${range[1]}.` : ''
  return `${schema.description ?? ''}${limits}${schema['x-secret'] ? ' A secret.' : ''}`
}

function kind(schema: Schema): string {
  if (schema.enum) return schema.enum.map(value => `\`${value}\``).join(', ')
  if (schema['x-unit']) return schema['x-unit']
  const names: Readonly<Record<string, string>> = { string: 'text', integer: 'number', object: 'map', array: 'list' }
  const types: readonly string[] = typeof schema.type === 'string' ? [schema.type] : schema.type
  return types.map(type => names[type] ?? type).join(' or ')
}

function fallback(schema: Schema, dotted: string, root: Schema): string {
  if (schema['x-default']) return schema['x-default']
  if (schema.default === undefined) return isRequired(dotted.split('.'), root) ? '**required**' : ''
  return `\`${typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default)}\``
}

/** Whether the setting must be given wherever the object that holds it is. */
function isRequired(steps: readonly string[], schema: Schema | undefined): boolean {
  const [step, ...rest] = steps
  if (step === undefined || !schema) return false
  if (rest.length > 0) return isRequired(rest, schema.properties?.[step])
  return schema.required?.includes(step) ?? false
}
