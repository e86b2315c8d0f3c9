/** What became of one fault. */
export interface FaultReport {
  readonly name: string
  /** Whether it met work under way. */
  readonly bit: boolean
  /** Until changes arrived again. */
  readonly recoveryMs: number
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
  readonly memoryPeakBytes: number
  /** Writes whose outcome the writer had to find out. */
  readonly unknownOutcomes: number
  readonly tookMs: number
}

/** Resident memory that a daemon may reach: 128 MB of heap, 16 MiB in flight, and Node with its buffers. */
export const memoryLimitBytes = 400 << 20

/** Why a run shows nothing, or what it broke; empty: it was green. Pure. */
export function problemsOf(sessions: readonly SessionReport[]): string[] {
  const problems = sessions.flatMap(({ mode, seed, violations }) => violations.map(text => `${mode} ${seed}: ${text}`))
  for (const [mode, reports] of Map.groupBy(sessions, session => session.mode)) {
    const faults = reports.flatMap(report => report.faults)
    const kills = faults.filter(({ name, bit }) => bit && /killed/.test(name))
    if (kills.length === 0) problems.push(`void: in mode ${mode} nothing was killed under traffic`)
    const seenTwice = reports.reduce((sum, { duplicates }) => sum + duplicates, 0)
    if (mode === 'at-least-once' && seenTwice === 0)
      problems.push('void: at-least-once, and no duplicate was ever seen')
    const memory = Math.max(...reports.map(({ memoryPeakBytes }) => memoryPeakBytes))
    if (memory > memoryLimitBytes) problems.push(`G7: mode ${mode} took ${megabytes(memory)} of memory`)
  }
  return problems
}

/** Faults by mode and kind, with how often they bit and how long recovery took. */
export function summary(sessions: readonly SessionReport[]): string {
  const lines: string[] = []
  for (const [mode, reports] of Map.groupBy(sessions, session => session.mode)) {
    const sum = (value: (report: SessionReport) => number) => reports.reduce((all, report) => all + value(report), 0)
    const memory = Math.max(...reports.map(({ memoryPeakBytes }) => memoryPeakBytes))
    const counts = [
      `${reports.length} deployments`,
      `${sum(r => r.faults.length)} faults`,
      `${sum(r => r.starts)} starts of a daemon`,
      `${sum(r => r.changes)} changes`,
      `${sum(r => r.records)} records`,
      `${sum(r => r.duplicates)} duplicates`,
      `${sum(r => r.unknownOutcomes)} writes whose outcome had to be found out`,
      `memory at most ${megabytes(memory)} of ${megabytes(memoryLimitBytes)}`,
      `${Math.round(sum(r => r.tookMs) / 1000)} s`,
    ]
    lines.push(`${mode}: ${counts.join(', ')}`, ...kinds(reports.flatMap(report => report.faults)))
  }
  return lines.join('\n')
}

function kinds(faults: readonly FaultReport[]): string[] {
  return [...Map.groupBy(faults, ({ name }) => name)].sort().map(([name, all]) => {
    const times = all.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b)
    const median = times[times.length >> 1] ?? 0
    const bit = all.filter(fault => fault.bit).length
    const limitMs = all[0]?.limitMs ?? 0
    const slow = median > limitMs ? '  OVER ITS LIMIT' : ''
    const recovery = `recovery median ${seconds(median)}, most ${seconds(times.at(-1) ?? 0)}, limit ${seconds(limitMs)}`
    return `  ${name.padEnd(48)} ${String(all.length).padStart(4)}, bit ${String(bit).padStart(4)}; ${recovery}${slow}`
  })
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`
