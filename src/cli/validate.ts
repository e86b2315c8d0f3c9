import { parseArgs } from 'node:util'
import { processEnvironment } from '../config/environment.ts'
import { loadConfigFile } from '../config/file.ts'
import type { Environment } from '../config/interpolate.ts'
import { formatProblem, InvalidConfig } from '../config/problem.ts'

/** Where a command writes: data to stdout, messages to stderr. */
export interface Terminal {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
  /** Absent: the process's own. */
  readonly env?: Environment
}

const usage = `usage: mongo2kafka validate -c FILE [--set PATH=VALUE]... [--json]
Checks the configuration file alone; connects to nothing.
  -c, --config FILE    the configuration
  --set PATH=VALUE     a setting on top of it, such as sink.type=stdout or pipelines.orders.partitions=6
  --json               the result as JSON: {"file", "valid", "problems", "config"}
`

/** `mongo2kafka validate`: resolves to the exit code, 0 valid, 64 bad usage, 78 bad configuration. */
export async function validate(argv: readonly string[], io: Terminal): Promise<number> {
  const options = optionsOf(argv)
  if ('error' in options) {
    io.stderr.write(`${options.error}\n${usage}`)
    return 64
  }
  if (options.help) {
    io.stdout.write(usage)
    return 0
  }
  const { file, overrides, json } = options
  try {
    const config = loadConfigFile(file, { env: io.env ?? processEnvironment(), overrides })
    const names = config.pipelines.map(pipeline => pipeline.name).join(', ')
    // Secrets turn themselves into [redacted] (G9).
    const result = json ? JSON.stringify({ file, valid: true, problems: [], config }, null, 2) : ''
    io.stdout.write(json ? `${result}\n` : `${file}: valid, pipelines: ${names}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    if (json) io.stdout.write(`${JSON.stringify({ file, valid: false, problems: error.problems }, null, 2)}\n`)
    for (const problem of error.problems) io.stderr.write(`${formatProblem(problem)}\n`)
    return 78
  }
}

type Options =
  | { readonly error: string }
  | { readonly help: boolean; readonly file: string; readonly overrides: readonly string[]; readonly json: boolean }

function optionsOf(argv: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        config: { type: 'string', short: 'c' },
        set: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.config === undefined && !values.help) return { error: 'mongo2kafka validate: -c FILE is missing' }
    return { help: values.help, file: values.config ?? '', overrides: values.set, json: values.json }
  } catch (error) {
    return { error: `mongo2kafka validate: ${error instanceof Error ? error.message : String(error)}` }
  }
}
