import { parseArgs } from 'node:util'
import { processEnvironment } from '../config/environment.ts'
import type { Environment } from '../config/interpolate.ts'
import { timeMs, timePattern } from '../config/units.ts'
import { commonOf } from './checkpoint-access.ts'
import { defaultWatchMs, setCheckpoints } from './checkpoint-set.ts'
import { showCheckpoints } from './checkpoint-show.ts'
import { commonOptions } from './config-options.ts'
import { exitCodes, type Io } from './io.ts'
import { loadOrExplain } from './load-config.ts'
import { misused, understood } from './usage.ts'

const usage = `Usage: mongo2kafka checkpoint show -c FILE [--pipeline NAME] [--json]
       mongo2kafka checkpoint set --at TIME -c FILE [--pipeline NAME] [--yes] [--json]

show  where every pipeline would continue: time, age, and how far MongoDB's oplog reaches behind it.
set   moves the pipelines, on all their slots, to just before the first change of TIME. Shows a plan; --yes does it.
      Refused while a worker is seen at work: stop the daemons, or pause the pipelines. Reads and writes the store that
      the configuration names; earlier changes are sent again, with a higher m2k.position than before.

  -c, --config FILE   the configuration of the daemon
  --set PATH=VALUE    a setting on top of it
  --pipeline NAME     only this one
  --at TIME           such as 2026-01-31T12:00:00Z, or now
  --yes               carries the plan out
  --json              the result as JSON

Exit: 0 done, 1 refused or failed.
`

const manual = { command: 'checkpoint', usage }

interface Options {
  readonly help: boolean
  readonly command: 'show' | 'set'
  readonly file: string
  readonly overrides: readonly string[]
  readonly pipeline: string | undefined
  readonly at: number | 'now' | undefined
  readonly yes: boolean
  readonly json: boolean
}

/** `mongo2kafka checkpoint show|set`: resolves to the exit code. */
export async function checkpoint(
  argv: readonly string[],
  io: Io,
  stop: AbortSignal,
  env: Environment = processEnvironment(),
): Promise<number> {
  const wrong = (what: string) => misused(what, manual, io)
  const options = understood(optionsOf(argv), manual, io)
  if (typeof options === 'number') return options
  const config = loadOrExplain(options.file, { env, overrides: options.overrides }, io)
  if (!config) return exitCodes.configuration
  const { pipeline, at, yes, json } = options
  if (pipeline !== undefined && !config.pipelines.some(({ name }) => name === pipeline)) {
    return wrong(`there is no pipeline ${pipeline} in ${options.file}`)
  }
  const common = commonOf(config, io)
  if (options.command === 'show') return showCheckpoints(common, { pipeline, json }, stop)
  if (at === undefined) return wrong('--at TIME is missing')
  return setCheckpoints(common, { pipeline, at, yes, json, watchMs: defaultWatchMs }, stop)
}

/** The options in `argv`, or what is wrong with them in words. With --help the others mean nothing. */
function optionsOf(argv: readonly string[]): Options | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        ...commonOptions,
        pipeline: { type: 'string' },
        at: { type: 'string' },
        yes: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    })
    if (values.help) return onlyHelp
    const [command, ...more] = positionals
    if ((command !== 'show' && command !== 'set') || more.length > 0) return 'show or set?'
    const { config: file, set: overrides, pipeline, at, yes, json } = values
    if (file === undefined) return '-c FILE is missing'
    if (command === 'show' && (at !== undefined || yes)) return '--at and --yes belong to set'
    if (command === 'set' && at === undefined) return '--at TIME is missing'
    const place = at === undefined ? undefined : timeOf(at)
    if (Number.isNaN(place)) return `--at ${at} is no time such as 2026-01-31T12:00:00Z`
    return { help: false, command, file, overrides, pipeline, at: place, yes, json }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const onlyHelp: Options = {
  ...{ help: true, command: 'show', file: '', overrides: [] },
  ...{ pipeline: undefined, at: undefined, yes: false, json: false },
}

/** NaN where `text` is no time. */
function timeOf(text: string): number | 'now' {
  return new RegExp(timePattern).test(text) ? timeMs(text) : Number.NaN
}
