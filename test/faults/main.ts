/**
 * Random faults under traffic: `npm run test:faults -- --minutes 30`. Every session is a deployment of its own, with a
 * seed that is printed, and each mode has its share of the time. What the topics hold at the end of a session is read
 * twice, by our reader and by Kafka's own consumer, which needs a JDK. Exits with 1 where anything was broken, or where
 * the run shows nothing.
 *
 * `--seed` begins with another seed; `--mode`, `--only` and `--without` (a part of a fault's name) narrow it down;
 * `--main` runs another build of the daemon; `--logs` keeps the logs in a directory; `--patience` says how many seconds
 * a recovery may take at least before a session is given up, for a machine that does other things.
 */
import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { seeded } from '../simulation/schedule.ts'
import { type Mode, modes } from './modes.ts'
import { problemsOf, type SessionReport, summary } from './report.ts'
import { deck, runSession } from './run.ts'
import { startServers } from './servers.ts'

/** About so long between two judgements: the history of a session is held in memory. */
const sessionMs = 5 * 60_000
/** For a session that begins late, because those before took longer. */
const leastMs = 60_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    mode: { type: 'string', multiple: true },
    only: { type: 'string', multiple: true },
    without: { type: 'string', multiple: true, default: [] },
    main: { type: 'string' },
    logs: { type: 'string' },
    patience: { type: 'string', default: '0' },
  },
})

if (values.logs !== undefined) mkdirSync(values.logs, { recursive: true })

const startedMs = Date.now()
const say = (line: string) => process.stdout.write(`${stamp()} ${line}\n`)

function stamp(): string {
  const elapsed = Math.round((Date.now() - startedMs) / 1000)
  return `${String(Math.floor(elapsed / 60)).padStart(3)}:${String(elapsed % 60).padStart(2, '0')}`
}

function chosenModes(): Mode[] {
  const all = Object.values(modes)
  const chosen = all.filter(({ name }) => values.mode === undefined || values.mode.includes(name))
  if (chosen.length === 0) throw new RangeError(`--mode is one of ${all.map(({ name }) => name).join(', ')}`)
  return chosen
}

async function run(): Promise<readonly SessionReport[]> {
  const endMs = startedMs + Number(values.minutes) * 60_000
  const used = new Map<string, number>()
  const reports: SessionReport[] = []
  const list = chosenModes()
  const rounds = Math.max(1, Math.round((60_000 * Number(values.minutes)) / (sessionMs * list.length)))
  const sessions = rounds * list.length
  await using servers = await startServers()
  for (let n = 0; n < sessions; n++) {
    const mode = list[n % list.length]!
    const seed = Number(values.seed) + n
    say(`session ${n + 1}: ${mode.name}, seed ${seed}`)
    const isWanted = (name: string) =>
      (values.only?.some(part => name.includes(part)) ?? true) && !values.without.some(part => name.includes(part))
    const faults = deck(mode, used, seeded(seed)).filter(({ name }) => isWanted(name))
    const untilMs = Date.now() + Math.max(leastMs, (endMs - Date.now()) / (sessions - n))
    const { main, logs } = values
    const how = { main, logs, leastHardStopMs: 1_000 * Number(values.patience), readTwice: true }
    const report = await runSession({ servers, mode, seed, faults, untilMs, ...how, say })
    for (const { name } of report.faults) used.set(`${mode.name}/${name}`, (used.get(`${mode.name}/${name}`) ?? 0) + 1)
    reports.push(report)
    const { changes, duplicates, daemonKills, violations } = report
    const counts = `${changes} changes, ${duplicates} duplicates, ${daemonKills} daemons killed`
    say(`session ${n + 1}: ${counts}, ${violations.length} violations`)
    for (const violation of violations) say(`  ${violation}`)
  }
  return reports
}

const reports = await run()
const problems = problemsOf(reports)
process.stdout.write(`${summary(reports)}\n`)
for (const problem of problems) process.stdout.write(`${problem}\n`)
process.stdout.write(problems.length === 0 ? 'Nothing was lost, reordered, invented or repeated.\n' : '')
process.exit(problems.length === 0 ? 0 : 1)
