import { parseArgs } from 'node:util'

/** What can be measured, in the order of the table. */
export const scenarios = ['drain', 'lookup', 'latency', 'compression', 'pipelines', 'source', 'flat'] as const
export type Scenario = (typeof scenarios)[number]

export interface Options {
  readonly scenarios: readonly Scenario[]
  /** Change events of the backlog. */
  readonly events: number
  readonly rounds: number
  /** Without the peers. */
  readonly ours: boolean
  /** Of the writes whose latency is measured, in each round. */
  readonly seconds: number
  /** Of the scenario `flat`. */
  readonly minutes: number
  /** Exit code 1 where a goal is not met. */
  readonly check: boolean
  /** Only downloads what is missing. */
  readonly fetchOnly: boolean
  /** Writes no files. */
  readonly dry: boolean
  /** Further settings of ours, as of `run --set`. */
  readonly set: readonly string[]
}

export const usage = `Usage: npm run bench -- [OPTIONS]

  --ours             only mongo2kafka, without the peers
  --scenario A,B     of ${scenarios.join(', ')}; all but flat are the default
  --events N         change events of the backlog, in thousands (default 500000)
  --rounds N         of every scenario but flat (default 3)
  --seconds N        of the latency measurement, each round (default 30)
  --minutes N        of flat (default 60)
  --set PATH=VALUE   a setting of mongo2kafka that differs from its defaults; may be repeated
  --check            exit code 1 where a goal is not met
  --dry              prints, and writes no files
  --fetch            downloads what is missing, and ends
`

/** The options, or what is wrong with the arguments. `undefined` asks for the usage. */
export function parseOptions(argv: readonly string[]): Options | string | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        ours: { type: 'boolean', default: false },
        scenario: { type: 'string', default: scenarios.filter(name => name !== 'flat').join(',') },
        events: { type: 'string', default: '500000' },
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '30' },
        minutes: { type: 'string', default: '60' },
        set: { type: 'string', multiple: true, default: [] },
        check: { type: 'boolean', default: false },
        dry: { type: 'boolean', default: false },
        fetch: { type: 'boolean', default: false },
      },
    })
    if (values.help) return undefined
    return {
      scenarios: values.scenario.split(',').map(scenarioOf),
      events: thousands(positive('events', values.events)),
      rounds: positive('rounds', values.rounds),
      seconds: positive('seconds', values.seconds),
      minutes: positive('minutes', values.minutes),
      ...{ ours: values.ours, check: values.check, dry: values.dry, fetchOnly: values.fetch, set: values.set },
    }
  } catch (error) {
    if (error instanceof Error) return error.message
    throw error
  }
}

function scenarioOf(text: string): Scenario {
  const found = scenarios.find(name => name === text)
  if (!found) throw new RangeError(`no such scenario: ${text}; there are ${scenarios.join(', ')}`)
  return found
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`--${name} takes a whole number from 1 on`)
  return value
}

/** The mix of the backlog is exact in every thousand, and so is what is to arrive. */
function thousands(events: number): number {
  if (events % 1_000 !== 0) throw new RangeError('--events takes thousands')
  return events
}
