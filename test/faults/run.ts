import { availableParallelism, loadavg } from 'node:os'
import { catalogue } from './catalogue.ts'
import type { Fault, Harm } from './fault.ts'
import { kafkaIsWhole } from './faults-of-kafka.ts'
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
  readonly say: (line: string) => void
}

/** Until changes arrive where nothing is hurt: at the beginning, and after all is healed. */
const wholeLimitMs = 90_000

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
  const counts = { changes: 0, records: 0, duplicates: 0, starts: 0, memoryPeakBytes: 0, unknownOutcomes: 0 }
  return { mode: mode.name, seed, faults: [], ...counts, loadPeak: 0 }
}

async function sufferAll(session: Session, plan: SessionPlan): Promise<Omit<SessionReport, 'tookMs'>> {
  const { mode, seed, say } = plan
  const faults: FaultReport[] = []
  const violations: string[] = []
  let loadPeak = 0
  try {
    await session.progress(wholeLimitMs)
    for (const fault of plan.faults) {
      if (Date.now() >= (plan.untilMs ?? Number.POSITIVE_INFINITY)) break
      if (fault.fits?.(session) === false) continue
      say(`${mode.name}: ${fault.name}`)
      faults.push(await suffer(session, fault, plan.leastHardStopMs ?? 0))
      loadPeak = Math.max(loadPeak, loadavg()[0]! / availableParallelism())
    }
    const verdict = await session.finish()
    violations.push(...verdict.violations)
  } catch (error) {
    violations.push(`G8: ${(error as Error).message}`, ...lastWords(session), ...session.judgeNow())
  }
  const { arrivals, daemons, changes } = session
  return {
    ...{ mode: mode.name, seed, faults, violations, changes, loadPeak },
    records: arrivals.seen.length,
    duplicates: arrivals.duplicates,
    starts: daemons.reduce((sum, { starts }) => sum + starts, 0),
    memoryPeakBytes: Math.max(...daemons.map(({ memoryPeakBytes }) => memoryPeakBytes)),
    unknownOutcomes: session.writer.unknown,
  }
}

/** The faults of a session, those first that this run has seen least, otherwise as the seed says. */
export function deck(mode: Mode, used: ReadonlyMap<string, number>, random: () => number): Fault[] {
  const usesOf = ({ name }: Fault) => used.get(`${mode.name}/${name}`) ?? 0
  return catalogue
    .map(fault => ({ fault, uses: usesOf(fault), chance: random() }))
    .sort((a, b) => a.uses - b.uses || a.chance - b.chance)
    .map(({ fault }) => fault)
}

async function suffer(session: Session, fault: Fault, leastHardStopMs: number): Promise<FaultReport> {
  const surprisesBefore = session.daemons.map(({ surprises }) => surprises.length)
  const hardStopMs = Math.max(leastHardStopMs, 3 * fault.recoveryLimitMs)
  for (const daemon of session.daemons) await daemon.measure()
  const { bites, recoveryMs } = await hurtAndHeal(session, fault, hardStopMs)
  await healServers(session.servers)
  await kafkaIsWhole(session)
  await session.progress(wholeLimitMs)
  for (const daemon of session.daemons) await daemon.measure()
  checkEndings(session, fault, surprisesBefore)
  const { name, kills = false, recoveryLimitMs } = fault
  return { name, bit: bites, kills, recoveryMs, limitMs: recoveryLimitMs }
}

async function hurtAndHeal(session: Session, fault: Fault, hardStopMs: number) {
  const harm = await fault.inject(session)
  const since = harm.recoversSinceMs
  if (since !== undefined) {
    const recoveryMs = await named(fault, session.recovered(since, hardStopMs))
    return { recoveryMs, bites: await healed(harm) }
  }
  const bites = await healed(harm)
  return { bites, recoveryMs: await named(fault, session.recovered(Date.now(), hardStopMs)) }
}

async function healed(harm: Harm): Promise<boolean> {
  const bites = harm.bites()
  await harm.heal()
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

function lastWords(session: Session): string[] {
  return session.daemons.map(({ name, running, output }) => {
    return `${name} (${running ? 'running' : 'not running'}) said last: ${output.slice(-2_500)}`
  })
}
