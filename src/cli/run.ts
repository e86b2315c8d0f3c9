import { processEnvironment } from '../config/environment.ts'
import { loadConfigFile } from '../config/file.ts'
import { formatProblem, InvalidConfig } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { configOptions } from './config-options.ts'
import { runDaemon } from './daemon.ts'
import { exitCodes, type Io } from './io.ts'

const usage = `Usage: mongo2kafka run -c FILE [--set PATH=VALUE]...

  -c, --config FILE   the configuration
  --set PATH=VALUE    a setting on top of it, such as log.level=debug or pipelines.orders.partitions=6
`

/** The daemon. Resolves to its exit code once `stop` has aborted and everything is drained, or nothing can go on. */
export async function run(argv: readonly string[], io: Io, stop: AbortSignal): Promise<number> {
  const options = configOptions(argv)
  if (typeof options === 'string') {
    io.stderr.write(`mongo2kafka run: ${options}\n\n${usage}`)
    return exitCodes.usage
  }
  if (options.help || options.file === undefined) {
    io.stdout.write(usage)
    return exitCodes.done
  }
  const config = loadOrExplain(options.file, options.overrides, io)
  return config ? runDaemon(config, io, stop) : exitCodes.configuration
}

function loadOrExplain(file: string, overrides: readonly string[], io: Io): Config | undefined {
  try {
    return loadConfigFile(file, { env: processEnvironment(), overrides })
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    for (const problem of error.problems) io.stderr.write(`${formatProblem(problem)}\n`)
    return undefined
  }
}
