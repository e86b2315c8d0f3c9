import { loadConfigFile } from '../config/file.ts'
import type { Environment } from '../config/interpolate.ts'
import { formatProblem, InvalidConfig } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import type { Io } from './io.ts'

/** The configuration in `file`; undefined where it is wrong, with every problem on stderr. */
export function loadOrExplain(
  file: string,
  from: { readonly env: Environment; readonly overrides: readonly string[] },
  io: Io,
): Config | undefined {
  try {
    return loadConfigFile(file, from)
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    for (const problem of error.problems) io.stderr.write(`${formatProblem(problem)}\n`)
    return undefined
  }
}
