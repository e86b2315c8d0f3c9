import { exitCodes, type Io } from './io.ts'

const usage = `Usage: mongo2kafka COMMAND

  run -c FILE         the daemon: streams changes until it is stopped (SIGTERM, Ctrl-C)
  validate -c FILE    checks the configuration file alone and shows every error
  config print        the configuration in effect, and where each value is from; -c FILE
  config schema       the JSON Schema of configuration files, for editors
  status              state, position, lag and headroom of every pipeline of a running daemon
  pause PIPELINE      lets a pipeline rest at its position; resume PIPELINE lets it go on
  checkpoint show     where every pipeline would continue: time, age, headroom; -c FILE
  checkpoint set      moves pipelines to a time: --at TIME -c FILE; shows a plan, and needs --yes
  demo [--seconds N]  everything on one machine: a real MongoDB, a real Kafka, sample pipelines under load

COMMAND --help says more.
Exit: 0 done, 1 failed at run time, 64 bad usage, 78 bad configuration.
`

/** Runs the command that `argv` names, resolving to its exit code. Loads only what the command needs. */
export async function command(argv: readonly string[], io: Io, stop: AbortSignal): Promise<number> {
  const [name, ...rest] = argv
  switch (name) {
    case 'run':
      return (await import('./run.ts')).run(rest, io, stop)
    case 'validate':
      return (await import('./validate.ts')).validate(rest, io)
    case 'config':
      return (await import('./config.ts')).config(rest, io)
    case 'status':
      return (await import('./status.ts')).status(rest, io, stop)
    case 'pause':
    case 'resume':
      return (await import('./pause.ts')).pauseOrResume(name, rest, io, stop)
    case 'checkpoint':
      return (await import('./checkpoint.ts')).checkpoint(rest, io, stop)
    case 'demo':
      return (await import('./demo.ts')).demo(rest, io, stop)
    case 'help':
    case '--help':
    case '-h':
      io.stdout.write(usage)
      return exitCodes.done
    default:
      io.stderr.write(`mongo2kafka: ${name === undefined ? 'no command' : `unknown command ${name}`}\n\n${usage}`)
      return exitCodes.usage
  }
}
