import { exitCodes, type Io } from './io.ts'

/** A command as people type it, and what --help prints. */
export interface Manual {
  readonly command: string
  readonly usage: string
}

/**
 * What a command was asked. `options`: a text where they are wrong, which then stands on stderr above the usage; with
 * --help the usage stands on stdout. In both cases the answer is the exit code, and the command has no more to do.
 */
export function understood<T extends { readonly help: boolean }>(
  options: T | string,
  manual: Manual,
  io: Io,
): T | number {
  if (typeof options === 'string') return misused(options, manual, io)
  if (!options.help) return options
  io.stdout.write(manual.usage)
  return exitCodes.done
}

/** Says what is wrong with a command; the exit code of bad usage. */
export function misused(what: string, { command, usage }: Manual, io: Io): number {
  io.stderr.write(`mongo2kafka ${command}: ${what}\n\n${usage}`)
  return exitCodes.usage
}
