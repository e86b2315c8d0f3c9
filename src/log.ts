/** What a log line carries beside its message. Never a document's contents, never a secret (G9). */
export type LogFields = Readonly<Record<string, unknown>>

/** Structured log, one line a call: a message that a tired person understands, fields that a machine finds. */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A logger whose every line also carries `fields`. */
  child(fields: LogFields): Logger
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
}
