import { readFileSync } from 'node:fs'
import { type ConfigInput, loadConfig } from './config.ts'
import { type PrintedConfig, printConfig } from './print.ts'
import { InvalidConfig } from './problem.ts'
import type { Config } from './schema.ts'

/** Loads the configuration file at `file`. Throws InvalidConfig, also where it cannot be read. */
export function loadConfigFile(file: string, input: Pick<ConfigInput, 'env' | 'overrides'>): Config {
  return loadConfig(file, inputOf(file, input))
}

/** What `config print` shows of the configuration file at `file`. Throws as `loadConfigFile` does. */
export function printConfigFile(file: string, input: Pick<ConfigInput, 'env' | 'overrides'>): PrintedConfig {
  return printConfig(file, inputOf(file, input))
}

function inputOf(file: string, { env, overrides }: Pick<ConfigInput, 'env' | 'overrides'>): ConfigInput {
  return { env, overrides, text: textOf(file), readFile: path => readFileSync(path, 'utf8') }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new InvalidConfig([
      { origin: file, line: undefined, column: undefined, path: '', message: `cannot read this file: ${code}` },
    ])
  }
}
