import { processEnvironment } from '../config/environment.ts'
import { loadConfigFile } from '../config/file.ts'
import type { Environment } from '../config/interpolate.ts'
import { formatProblem, InvalidConfig } from '../config/problem.ts'
import { configOptions } from './config-options.ts'
import { exitCodes } from './io.ts'

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
  const options = configOptions(argv, ['json'])
  if (typeof options === 'string') {
    io.stderr.write(`mongo2kafka validate: ${options}\n${usage}`)
    return exitCodes.usage
  }
  const { file, overrides } = options
  if (options.help || file === undefined) {
    io.stdout.write(usage)
    return exitCodes.done
  }
  const json = options.flags.has('json')
  try {
    const config = loadConfigFile(file, { env: io.env ?? processEnvironment(), overrides })
    const names = config.pipelines.map(pipeline => pipeline.name).join(', ')
    // Secrets turn themselves into [redacted] (G9).
    const result = json ? JSON.stringify({ file, valid: true, problems: [], config }, null, 2) : ''
    io.stdout.write(json ? `${result}\n` : `${file}: valid, pipelines: ${names}\n`)
    return exitCodes.done
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    if (json) io.stdout.write(`${JSON.stringify({ file, valid: false, problems: error.problems }, null, 2)}\n`)
    for (const problem of error.problems) io.stderr.write(`${formatProblem(problem)}\n`)
    return exitCodes.configuration
  }
}
