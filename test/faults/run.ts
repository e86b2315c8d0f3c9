import { availableParallelism, loadavg } from 'node:os'
import { catalogue } from './catalogue.ts'
import type { Daemon } from './daemon.ts'
import type { Fault, Harm } from './fault.ts'
import { kafkaIsWhole } from './faults-of-kafka.ts'
import { killStorm } from './faults-of-storms.ts'
import type { Mode } from './modes.ts'
import type { FaultReport, SessionReport } from './report.ts'
import { healServers, type Servers } from './servers.ts'
import { Session } from './session.ts'

export interface SessionPlan {
  readonly servers: Servers
  readonly mode: Mode
  readonly seed: number
  /** One after the other until `untilMs`, or each once where that is undefined. Default: as the seed says. */
  readonly faults: readonly Fault[]
  /** When no further fault is begun, milliseconds since the Unix epoch. */
  readonly untilMs?: number
  /** A recovery is ended after three times its limit, but not before this; default 0, milliseconds. */
  readonly leastHardStopMs?: number
  /** The daemon's main file; default: this checkout's. */
  readonly main?: string | undefined
  /** Where the daemons' logs are kept; default: nowhere. */
  readonly logs?: string | undefined
  /** Whether Kafka's own consumer reads everything once more at the end, which takes a JDK; default: no. */
  readonly readTwice?: boolean
  readonly say: (line: string) => void
}

/** Until changes arrive where nothing is hurt: at the beginning, and after all is healed. Three times it is too long. */
const wholeLimitMs = 30_000

/** Runs a deployment through `faults` under traffic and judges its whole history. */
export async function runSession(plan: SessionPlan): Promise<SessionReport> {
  const startedMs = Date.now()
  let session: Session
  try {
    await healServers(plan.servers)
    session = await Session.open(plan)
  } catch (error) {
    return { ...nothing(plan), violations: [`G8: ${(error as Error).message}`], tookMs: Date.now() - startedMs }
  }
  await using open = session
  return { ...(await sufferAll(open, plan)), tookMs: Date.now() - startedMs }
}

/** Of a deployment that never came to work. */
function nothing({ mode, seed }: SessionPlan): Omit<SessionReport, 'violations' | 'tookMs'> {
  const counts = { changes: 0, records: 0, duplicates: 0, leftOut: 0, starts: 0, daemonKills: 0, unknownOutcomes: 0 }
  return { mode: mode.name, seed, faults: [], ...counts, memoryPeakBytes: 0, loadPeak: 0 }
}

async function sufferAll(session: Session, plan: SessionPlan): Promise<Omit<SessionReport, 'tookMs'>> {
  const { mode, seed, say } = plan
  const faults: FaultReport[] = []
  const violations: string[] = []
  let loadPeak = 0
  try {
    await session.progress(session.hardStopMs(wholeLimitMs))
    for (const fault of fitting(session, plan.faults)) {
      if (Date.now() >= (plan.untilMs ?? Number.POSITIVE_INFINITY)) break
      say(`${mode.name}: ${fault.name}`)
      faults.push(await suffer(session, fault))
      loadPeak = Math.max(loadPeak, loadavg()[0]! / availableParallelism())
    }
    const verdict = await session.finish()
    violations.push(...verdict.violations)
  } catch (error) {
    violations.push(`G8: ${(error as Error).message}`, ...lastWords(session), ...session.judgeNow())
  }
  const { arrivals, daemons, changes } = session
  const sum = (value: (daemon: Daemon) => number) => daemons.reduce((all, daemon) => all + value(daemon), 0)
  return {
    ...{ mode: mode.name, seed, faults, violations, changes, loadPeak },
    records: arrivals.seen.length,
    duplicates: arrivals.duplicates,
    leftOut: sum(({ leftOut }) => leftOut),
    starts: sum(({ starts }) => starts),
    daemonKills: sum(({ kills }) => kills),
    memoryPeakBytes: Math.max(...daemons.map(({ memoryPeakBytes }) => memoryPeakBytes)),
    unknownOutcomes: session.writer.unknown,
  }
}

/** The faults of a session: first many kills, then those that this run has seen least, otherwise as the seed says. */
export function deck(mode: Mode, used: ReadonlyMap<string, number>, random: () => number): Fault[] {
  const usesOf = ({ name }: Fault) => used.get(`${mode.name}/${name}`) ?? 0
  const rest = catalogue
    .filter(fault => fault !== killStorm)
    .map(fault => ({ fault, uses: usesOf(fault), chance: random() }))
    .sort((a, b) => a.uses - b.uses || a.chance - b.chance)
    .map(({ fault }) => fault)
  return [killStorm, ...rest]
}

/** Those that make sense; behind the kills one of those that the mode is there for, so that a short session has one. */
function fitting(session: Session, faults: readonly Fault[]): Fault[] {
  const fit = faults.filter(fault => fault.fits?.(session) !== false)
  const own = fit.find(({ name }) => session.mode.own?.test(name))
  if (fit[0] !== killStorm || own === undefined) return fit
  return [killStorm, own, ...fit.slice(1).filter(fault => fault !== own)]
}

async function suffer(session: Session, fault: Fault): Promise<FaultReport> {
  const surprisesBefore = session.daemons.map(({ surprises }) => surprises.length)
  for (const daemon of session.daemons) await daemon.measure()
  if (session.mode.isPlain) await session.caughtUp()
  const { duplicates } = session.arrivals
  const { bites, recoveriesMs, deaths } = await hurtAndHeal(session, fault)
  await healServers(session.servers)
  await kafkaIsWhole(session)
  await session.progress(session.hardStopMs(wholeLimitMs))
  for (const daemon of session.daemons) await daemon.measure()
  checkEndings(session, fault, surprisesBefore)
  if (session.mode.isPlain && fault.sparesServers) await checkReplays(session, fault, duplicates)
  const { name, recoveryLimitMs } = fault
  return { name, bit: bites, kills: deaths, recoveriesMs, limitMs: recoveryLimitMs }
}

async function hurtAndHeal(session: Session, fault: Fault) {
  const hardStopMs = session.hardStopMs(fault.recoveryLimitMs)
  const harm = await fault.inject(session)
  const { recoversSinceMs: since, kills: deaths = fault.kills ? 1 : 0, earlierRecoveriesMs = [] } = harm
  if (since !== undefined) {
    const recoveryMs = await named(fault, session.recovered(since, hardStopMs))
    return { recoveriesMs: [...earlierRecoveriesMs, recoveryMs], bites: await healed(harm), deaths }
  }
  const bites = await healed(harm)
  const recoveryMs = await named(fault, session.recovered(Date.now(), hardStopMs))
  return { recoveriesMs: [...earlierRecoveriesMs, recoveryMs], bites, deaths }
}

async function healed(harm: Harm): Promise<boolean> {
  const bites = harm.bites()
  await harm.heal?.()
  return bites
}

async function named<T>(fault: Fault, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new Error(`after "${fault.name}": ${(error as Error).message}`, { cause: error })
  }
}

/** A daemon may end by itself only for the reason that the fault gives it (G8). */
function checkEndings(session: Session, fault: Fault, before: readonly number[]): void {
  for (const [i, { name, surprises }] of session.daemons.entries()) {
    for (const { code, signal, output } of surprises.slice(before[i] ?? 0)) {
      if (fault.mayEndWith !== undefined && output.includes(fault.mayEndWith)) continue
      const end = output.slice(-1_500)
      session.violations.push(`G8: ${name} ended by itself (${code ?? signal}) during "${fault.name}": ${end}`)
    }
  }
}

/**
 * Where only daemons ended, a target without transactions has by the next start all that was sent, and reading it back
 * finds it: nothing is sent again (G4).
 */
async function checkReplays(session: Session, { name }: Fault, before: number): Promise<void> {
  await session.caughtUp()
  const again = session.arrivals.duplicates - before
  if (again > 0) session.violations.push(`G4: ${again} records that the target had were sent again after "${name}"`)
}

function lastWords(session: Session): string[] {
  return session.daemons.map(({ name, running, output }) => {
    return `${name} (${running ? 'running' : 'not running'}) said last: ${output.slice(-2_500)}`
  })
}
