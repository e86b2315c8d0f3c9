import { afterAll, beforeAll, expect, test } from 'vitest'
import { catalogue } from './catalogue.ts'
import { type Mode, modes } from './modes.ts'
import { problemsOf, summary } from './report.ts'
import { runSession } from './run.ts'
import { type Servers, startServers } from './servers.ts'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers?.[Symbol.asyncDispose]())

/**
 * Three times a limit is not much where other tests have the processor, and nothing here may depend on a fast machine: on
 * one with fifty times its load a daemon took three minutes to be back. How long recoveries take is judged by
 * `npm run test:faults`.
 */
const leastHardStopMs = 400_000

const say = (line: string) => process.stdout.write(`${line}\n`)

/** A few that hit every part, and are soon over; `npm run test:faults` does all of them, again and again. */
const selections: readonly { readonly mode: Mode; readonly names: readonly string[] }[] = [
  {
    mode: modes['at-least-once'],
    names: ['daemon killed', 'killed: records stored, not acknowledged', 'connection closed under getMore'],
  },
  {
    mode: modes['exactly-once'],
    names: [
      'killed: before the commit is sent',
      'killed: committed, not acknowledged',
      'primary killed',
      'broker killed',
    ],
  },
]

test.each(selections)(
  '$mode.name: nothing lost, reordered, invented, or repeated where it may not be',
  {
    timeout: 1_800_000,
  },
  async ({ mode, names }) => {
    const faults = names.map(name => catalogue.find(fault => fault.name === name)!)
    const report = await runSession({ servers, mode, seed: 1, faults, leastHardStopMs, say })
    say(summary([report]))
    expect(problemsOf([report])).toEqual([])
    expect(report.faults.filter(({ bit }) => !bit)).toEqual([])
  },
)
