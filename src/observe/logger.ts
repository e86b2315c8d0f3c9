import { pino } from 'pino'
import type { LogFields, Logger } from '../log.ts'
import { createRedact, type Redact } from '../redact.ts'
import type { Secret, Secrets } from '../secret.ts'
import { type Printable, printable } from './printable.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Where lines go. The daemon logs to stdout, unless its records do (sink.type: stdout). */
export type LogDestination = 'stdout' | 'stderr' | { write(line: string): void }

export interface LoggerOptions {
  readonly level: LogLevel
  readonly destination: LogDestination
  /** Removed from every line by value, beside what the patterns of redact.ts find. */
  readonly secrets?: readonly Secret[] | Secrets
}

/**
 * One JSON object a line: `level` as a word, `time` in ISO 8601, the fields, `message`. Fields pass `printable` first,
 * so whatever a caller logs, no secret and no document gets out (G9), and a line stays bounded (G7). Writes are
 * synchronous: after a crash the last line is the one that matters.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { destination } = options
  const sink =
    typeof destination === 'string'
      ? pino.destination({ dest: destination === 'stdout' ? 1 : 2, sync: true })
      : destination
  const lines = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: level => ({ level }) },
    },
    sink,
  )
  return wrap(lines, createRedact(options.secrets))
}

/** The part of pino that we use. */
interface Lines {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  isLevelEnabled(level: LogLevel): boolean
  child(bindings: Record<string, Printable>): Lines
}

function wrap(lines: Lines, redact: Redact): Logger {
  const write = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (lines.isLevelEnabled(level)) lines[level](named(printable(fields, redact)), redact(message))
  }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: fields => wrap(lines.child(named(printable(fields, redact))), redact),
  }
}

/** A field must not repeat a name of the line itself: readers of JSON keep the last one, and the level would be gone. */
function named(fields: Record<string, Printable>): Record<string, Printable> {
  for (const name of ['level', 'time', 'message']) {
    if (!(name in fields)) continue
    fields[`${name}_`] = fields[name] ?? null
    delete fields[name]
  }
  return fields
}
