import { processEnvironment } from '../config/environment.ts'
import { loadConfigFile } from '../config/file.ts'
import { formatProblem, InvalidConfig } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { configOptions } from './config-options.ts'
import { runDaemon } from './daemon.ts'
import { exitCodes, type Io } from './io.ts'
import type { ConfigSource } from './reload.ts'

const usage = `Usage: mongo2kafka run -c FILE [--set PATH=VALUE]...

  -c, --config FILE   the configuration
  --set PATH=VALUE    a setting on top of it, such as log.level=debug or pipelines.orders.partitions=6

Pipelines that are added, changed or removed in FILE are taken over while it runs, at once or on SIGHUP.
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
  const { file, overrides } = options
  const source: ConfigSource = {
    file,
    load: () => loadConfigFile(file, { env: processEnvironment(), overrides }),
    onRequest: listener => io.onHangUp?.(listener),
  }
  const config = loadOrExplain(source, io)
  return config ? runDaemon(config, source, io, stop) : exitCodes.configuration
}

function loadOrExplain(source: ConfigSource, io: Io): Config | undefined {
  try {
    return source.load()
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    for (const problem of error.problems) io.stderr.write(`${formatProblem(problem)}\n`)
    return undefined
  }
}
