import { type ParseArgsConfig, parseArgs } from 'node:util'

/** For parseArgs: what every command takes that reads a configuration file. */
export const commonOptions = {
  config: { type: 'string', short: 'c' },
  set: { type: 'string', multiple: true, default: [] },
  help: { type: 'boolean', short: 'h', default: false },
} satisfies ParseArgsConfig['options']

/** What every command takes that reads a configuration file. */
export interface ConfigOptions {
  readonly help: boolean
  /** undefined: not given, which only `help` allows. */
  readonly file: string | undefined
  /** `PATH=VALUE` of each `--set`. */
  readonly overrides: readonly string[]
  /** Those of the command's own flags that are set. */
  readonly flags: ReadonlySet<string>
}

/** The options in `argv`, or what is wrong with them in words. `flags` are the command's own, without a value. */
export function configOptions(argv: readonly string[], flags: readonly string[] = []): ConfigOptions | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        ...Object.fromEntries(flags.map(flag => [flag, { type: 'boolean' as const }])),
        ...commonOptions,
      },
    })
    const given: Readonly<Record<string, unknown>> = values
    if (values.config === undefined && !values.help) return '-c FILE is missing'
    const set = new Set(flags.filter(flag => given[flag] === true))
    return { help: values.help, file: values.config, overrides: values.set, flags: set }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
