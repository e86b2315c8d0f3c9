import { readFileSync } from 'node:fs'
import { type ConfigInput, loadConfig } from './config.ts'
import { InvalidConfig } from './problem.ts'
import type { Config } from './schema.ts'

/** Loads the configuration file at `file`. Throws InvalidConfig, also where it cannot be read. */
export function loadConfigFile(file: string, input: Pick<ConfigInput, 'env' | 'overrides'>): Config {
  return loadConfig(file, { ...input, text: textOf(file), readFile: path => readFileSync(path, 'utf8') })
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
