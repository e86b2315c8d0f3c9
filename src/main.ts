#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=4 --heap-growing-percent=100 --no-parallel-scavenge --disable-warning=TimeoutNegativeWarning
// V8 would let the young generation grow to 100 MB: a quarter of this process, for no measurable gain in speed. The old
// one it would collect whenever it is a third larger than what lives, with MongoDB's replies counted in: many times a
// second at full speed. glibc would keep what each thread of V8 has freed for that thread alone: 12 MB (all of it:
// docs/performance.md). The warning is about a timer of kafkajs that does no harm, and nothing that a user could act on
// (tulios/kafkajs#1751).
import type { Io } from './cli/io.ts'
import type { LastWords } from './observe/last-words.ts'

/** Exit codes of the contract. */
const FAILED = 1

/**
 * The composition root's door: the only place of signals and exit codes. Imports only after the check, so that an old
 * Node says what it lacks instead of failing on syntax.
 */
async function main(): Promise<number> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 24 || (major === 24 && minor < 6)) {
    process.stderr.write(
      `mongo2kafka: NODE_TOO_OLD: this is Node ${process.versions.node}, and 24.6 or newer is needed.\n`,
    )
    return FAILED
  }
  const words = await guard()
  const { command } = await import('./cli/command.ts')
  const onHangUp = (listener: () => void) => void process.on('SIGHUP', listener)
  const onSecrets: Io['onSecrets'] = secrets => words.know(secrets)
  const io: Io = { stdout: process.stdout, stderr: process.stderr, onHangUp, onSecrets }
  return command(process.argv.slice(2), io, stopSignal())
}

/** Aborts on the first SIGTERM or SIGINT: drain. The second ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(FAILED)
      stop.abort()
    })
  }
  return stop.signal
}

/**
 * Sees to it that a crash shows neither secrets nor documents (G9): Node itself would print the error as it is, and its
 * reports hold the environment and the command line.
 */
async function guard(): Promise<LastWords> {
  const { LastWords } = await import('./observe/last-words.ts')
  const words = new LastWords()
  const die = (error: unknown) => {
    process.stderr.write(words.of(error))
    process.exit(FAILED)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
  process.report.excludeEnv = true
  process.report.reportOnFatalError = false
  process.report.reportOnUncaughtException = false
  process.report.reportOnSignal = false
  return words
}

process.exitCode = FAILED // Whatever ends us without a word is a failure.
const code = await main() // What it throws goes to the guard.
process.exit(code)
