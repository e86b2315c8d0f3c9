import { processEnvironment } from '../config/environment.ts'
import { printConfigFile } from '../config/file.ts'
import type { Environment } from '../config/interpolate.ts'
import { toWords } from '../config/pointer.ts'
import type { PrintedConfig } from '../config/print.ts'
import { fileSchema } from '../config/print-schema.ts'
import { printedYaml } from '../config/print-yaml.ts'
import { formatProblem, InvalidConfig } from '../config/problem.ts'
import { configOptions } from './config-options.ts'
import { exitCodes, type Io } from './io.ts'
import { misused, understood } from './usage.ts'

const usage = `Usage: mongo2kafka config print -c FILE [--set PATH=VALUE]... [--json]
       mongo2kafka config schema [--json]

print   the configuration that is in effect: FILE with the environment and --set on top and all defaults, without its
        secrets, and behind each value where it is from. Connects to nothing.
schema  the JSON Schema (draft-07) of configuration files, for editors and other tools.

  -c, --config FILE    the configuration
  --set PATH=VALUE     a setting on top of it, such as sink.type=stdout or pipelines.orders.partitions=6
  --json               print: {"file", "config", "origins"}, origins by path; schema is JSON in any case

Exit: 0 done, 78 the file has errors.
`

const manual = { command: 'config', usage }

/** `mongo2kafka config print|schema`: resolves to the exit code. */
export async function config(
  argv: readonly string[],
  io: Io,
  env: Environment = processEnvironment(),
): Promise<number> {
  const [name, ...rest] = argv
  switch (name) {
    case 'print':
      return print(rest, io, env)
    case 'schema':
      return schema(rest, io)
    case '--help':
    case '-h':
      io.stdout.write(usage)
      return exitCodes.done
    default:
      return misused(name === undefined ? 'print or schema?' : `there is no config ${name}`, manual, io)
  }
}

function print(argv: readonly string[], io: Io, env: Environment): number {
  const options = understood(configOptions(argv, ['json']), manual, io)
  if (typeof options === 'number') return options
  const { file = '', overrides, flags } = options
  try {
    const printed = printConfigFile(file, { env, overrides })
    io.stdout.write(flags.has('json') ? json(forScripts(printed)) : printedYaml(printed))
    return exitCodes.done
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    for (const problem of error.problems) io.stderr.write(`${formatProblem(problem)}\n`)
    return exitCodes.configuration
  }
}

function schema(argv: readonly string[], io: Io): number {
  const wrong = argv.find(argument => !['--json', '--help', '-h'].includes(argument))
  const help = argv.some(argument => argument === '--help' || argument === '-h')
  const options = understood(wrong === undefined ? { help } : `unexpected argument ${wrong}`, manual, io)
  if (typeof options === 'number') return options
  io.stdout.write(json(fileSchema()))
  return exitCodes.done
}

function forScripts({ file, config: settings, origins }: PrintedConfig): unknown {
  const byPath = [...origins].map(([pointer, origin]) => [toWords(pointer), origin])
  return { file, config: settings, origins: Object.fromEntries(byPath) }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
