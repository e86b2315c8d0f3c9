import { modes } from './modes.ts'

/** What became of one fault. */
export interface FaultReport {
  readonly name: string
  /** Whether it met work under way. */
  readonly bit: boolean
  /** Processes that were killed under work. */
  readonly kills: number
  /** Until changes arrived again, each time. */
  readonly recoveriesMs: readonly number[]
  readonly limitMs: number
}

export interface SessionReport {
  readonly mode: string
  readonly seed: number
  readonly faults: readonly FaultReport[]
  readonly violations: readonly string[]
  readonly changes: number
  readonly records: number
  readonly duplicates: number
  /** Processes of the daemon. */
  readonly starts: number
  /** Those of them that SIGKILL ended. */
  readonly daemonKills: number
  /** Records that replays left out, because a target without transactions has them already. */
  readonly leftOut: number
  readonly memoryPeakBytes: number
  /** Writes whose outcome the writer had to find out. */
  readonly unknownOutcomes: number
  /** The machine's load average for each of its cores, at most: above one, everything waits for a core. */
  readonly loadPeak: number
  readonly tookMs: number
}

/** Resident memory that a daemon may reach: 128 MB of heap, 16 MiB in flight, and Node with its buffers. */
export const memoryLimitBytes = 400 << 20

/** Why a run shows nothing, or what it broke; empty: it was green. Pure. */
export function problemsOf(sessions: readonly SessionReport[]): string[] {
  const problems = sessions.flatMap(({ mode, seed, violations }) => violations.map(text => `${mode} ${seed}: ${text}`))
  for (const [mode, reports] of Map.groupBy(sessions, session => session.mode)) {
    const faults = reports.flatMap(report => report.faults)
    if (killsIn(faults) === 0) problems.push(`void: in mode ${mode} nothing was killed under traffic`)
    problems.push(...withoutEffect(mode, reports))
    const idle = faults.filter(({ bit }) => !bit)
    if (3 * idle.length > faults.length)
      problems.push(`void: in mode ${mode} ${idle.length} of ${plural(faults.length, 'fault')} met no work`)
    const memory = Math.max(...reports.map(({ memoryPeakBytes }) => memoryPeakBytes))
    if (memory > memoryLimitBytes) problems.push(`G7: mode ${mode} took ${megabytes(memory)} of memory`)
  }
  return [...problems, ...slowRecoveries(sessions)]
}

/** What a mode is there for, and did not show. */
function withoutEffect(name: string, reports: readonly SessionReport[]): string[] {
  const mode = Object.values(modes).find(known => known.name === name)
  const problems: string[] = []
  const sum = (value: (report: SessionReport) => number) => reports.reduce((all, report) => all + value(report), 0)
  // At-least-once repeats after a kill, or finds out that it need not.
  if (mode?.isPlain && sum(({ leftOut }) => leftOut) === 0)
    problems.push(`void: in mode ${name} no replay ever left anything out`)
  else if (!mode?.isPlain && mode?.delivery === 'at-least-once' && sum(({ duplicates }) => duplicates) === 0)
    problems.push(`void: in mode ${name} no duplicate was ever seen`)
  const isFelt = ({ faults }: SessionReport) => faults.some(fault => fault.bit && mode?.own?.test(fault.name))
  if (mode?.own && !reports.some(isFelt)) problems.push(`void: in mode ${name} no fault of its own met work`)
  return problems
}

const killsIn = (faults: readonly FaultReport[]) => faults.reduce((sum, { kills, bit }) => sum + (bit ? kills : 0), 0)

/** From so many recoveries on a median says something: one alone may have had bad luck. */
const leastSamples = 3

/** Kinds of faults whose median recovery was over the limit, in one mode or over all of them. */
function slowRecoveries(sessions: readonly SessionReport[]): string[] {
  const all = sessions.flatMap(({ mode, faults }) => faults.map(fault => ({ ...fault, mode })))
  const slow: string[] = []
  for (const [name, ofName] of Map.groupBy(all, fault => fault.name)) {
    const inModes = [...Map.groupBy(ofName, ({ mode }) => mode)]
      .filter(([, faults]) => isSlow(faults))
      .map(([mode, faults]) => `in mode ${mode} ${overLimit(name, faults)}`)
    if (inModes.length > 0) slow.push(...inModes)
    else if (isSlow(ofName)) slow.push(`over all modes ${overLimit(name, ofName)}`)
  }
  return slow
}

function isSlow(faults: readonly FaultReport[]): boolean {
  return recoveriesOf(faults).length >= leastSamples && medianMs(faults) > limitOf(faults)
}

function overLimit(name: string, faults: readonly FaultReport[]): string {
  const times = plural(recoveriesOf(faults).length, 'time')
  return `"${name}" took ${seconds(medianMs(faults))} in the median of ${times}, allowed are ${seconds(limitOf(faults))}`
}

const recoveriesOf = (faults: readonly FaultReport[]) => faults.flatMap(({ recoveriesMs }) => recoveriesMs)
const limitOf = (faults: readonly FaultReport[]) => faults[0]?.limitMs ?? 0

function medianMs(faults: readonly FaultReport[]): number {
  const times = recoveriesOf(faults).sort((a, b) => a - b)
  return times[times.length >> 1] ?? 0
}

/** What a run has shown, a section of Markdown for each mode: to be read in a terminal, and to be pasted. */
export function summary(sessions: readonly SessionReport[]): string {
  const sections = [...Map.groupBy(sessions, session => session.mode)].map(([mode, reports]) =>
    [`### ${mode}`, ...counts(reports), '', ...table(reports.flatMap(r => r.faults))].join('\n'),
  )
  return (sections.length > 1 ? [...sections, total(sessions)] : sections).join('\n\n')
}

function total(sessions: readonly SessionReport[]): string {
  const sum = (value: (report: SessionReport) => number) => sessions.reduce((all, report) => all + value(report), 0)
  const faults = sessions.flatMap(report => report.faults)
  return [
    '### all of it',
    `- ${plural(faults.length, 'fault')}, ${count(faults.filter(({ bit }) => bit).length)} of them under work`,
    `- ${plural(killsIn(faults), 'kill')} under work; ${plural(
      sum(r => r.starts),
      'start',
    )} of a daemon, ${count(sum(r => r.daemonKills))} ended by SIGKILL`,
    `- ${count(sum(r => r.changes))} changes; ${plural(
      sum(r => r.violations.length),
      'violation',
    )}`,
  ].join('\n')
}

function counts(reports: readonly SessionReport[]): string[] {
  const sum = (value: (report: SessionReport) => number) => reports.reduce((all, report) => all + value(report), 0)
  const most = (value: (report: SessionReport) => number) => Math.max(...reports.map(value))
  const faults = reports.flatMap(report => report.faults)
  const violations = sum(r => r.violations.length)
  const seeds = reports.map(({ seed }) => seed)
  const lines = [
    `${violations === 0 ? 'Nothing broken' : `BROKEN: ${plural(violations, 'violation')}`} in ${plural(reports.length, 'deployment')} ` +
      `(${seeds.length === 1 ? 'seed' : 'seeds'} ${seeds.join(', ')}) and ${plural(Math.round(sum(r => r.tookMs) / 60_000), 'minute')}:`,
    `- ${plural(faults.length, 'fault')}, ${faults.filter(({ bit }) => bit).length} of them under work; ` +
      `${plural(killsIn(faults), 'kill')} under work; ` +
      `${plural(
        sum(r => r.starts),
        'start',
      )} of a daemon, ${count(sum(r => r.daemonKills))} ended by SIGKILL`,
    `- ${count(sum(r => r.changes))} changes, ${count(sum(r => r.records))} records, ` +
      `${count(sum(r => r.duplicates))} duplicates, ${count(sum(r => r.leftOut))} left out of replays; ${plural(
        sum(r => r.unknownOutcomes),
        'write',
      )} whose outcome had to be found out`,
    `- memory at most ${megabytes(most(r => r.memoryPeakBytes))} of ${megabytes(memoryLimitBytes)}`,
  ]
  const idle = faults.filter(({ bit }) => !bit).map(({ name }) => name)
  if (idle.length > 0) lines.push(`- met no work: ${[...new Set(idle)].sort().join('; ')}`)
  const load = most(r => r.loadPeak)
  if (load <= busyLoad) return lines
  return [
    ...lines,
    `- THE MACHINE WAS BUSY, load ${load.toFixed(1)} for each core: recoveries tell of it, not of the product`,
  ]
}

/** Above it, a process waits for its core about as long as it has it. */
const busyLoad = 2

function table(faults: readonly FaultReport[]): string[] {
  const rows = [...Map.groupBy(faults, ({ name }) => name)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, all]) => {
      const median = medianMs(all)
      const longest = Math.max(...recoveriesOf(all))
      const limit = `${seconds(limitOf(all))}${median > limitOf(all) ? ', OVER' : ''}`
      const bit = all.filter(fault => fault.bit).length
      return [name, String(all.length), String(bit), seconds(median), seconds(longest), limit]
    })
  return aligned([['fault', 'times', 'under work', 'recovery, median', 'longest', 'limit'], ...rows])
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [head, ...body] = rows
  return [line(head!), rule, ...body.map(line)]
}

const count = (n: number) => n.toLocaleString('en-US')
const plural = (n: number, noun: string) => `${count(n)} ${noun}${n === 1 ? '' : 's'}`
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`
