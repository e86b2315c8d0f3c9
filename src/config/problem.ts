import { Configuration } from '../errors.ts'

/** One thing to correct. `path` is the setting's, such as `pipelines[0].source.filter`; empty for the whole file. */
export interface Problem {
  /** The file, `environment variable NAME` or `--set PATH`. */
  readonly origin: string
  /** Line and column in the file, from 1; undefined where the value is not from the file. */
  readonly line: number | undefined
  readonly column: number | undefined
  readonly path: string
  readonly message: string
}

/** `FILE:LINE:COLUMN path: message`, or `ORIGIN path: message` where the value is not from the file. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === undefined ? problem.origin : `${problem.origin}:${problem.line}:${problem.column}`
  return problem.path === '' ? `${place}: ${problem.message}` : `${place} ${problem.path}: ${problem.message}`
}

/** The configuration cannot be used. Carries every problem at once, in the order of the file. */
export class InvalidConfig extends Configuration {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super('CONFIG_INVALID', problems.map(formatProblem).join('\n'))
    this.problems = problems
  }
}
