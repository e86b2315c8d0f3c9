import { limit } from '../admin/page.ts'
import { busyText, duration, time } from '../admin/wording.ts'
import { slotsText, type WorkersView } from '../admin/workers.ts'
import { type Clock, systemClock } from '../clock.ts'
import { processEnvironment } from '../config/environment.ts'
import type { Environment } from '../config/interpolate.ts'
import { oneLine } from '../redact.ts'
import type { PipelineState, PipelineStatus } from '../status.ts'
import { type AdminAddress, AdminUnreachable, askAdmin } from './admin-client.ts'
import { adminAddress, adminOptions, adminUsage } from './admin-options.ts'
import { exitCodes, type Io } from './io.ts'
import { table } from './table.ts'
import { understood } from './usage.ts'

const usage = `Usage: mongo2kafka status [-c FILE] [--url URL] [--json]

State, position, lag, oplog headroom and work of every pipeline of a running daemon, and who works on which slots.
${adminUsage}
Exit: 0 all is well, 1 a pipeline has failed or nobody answers.
`

/** `mongo2kafka status`: resolves to the exit code. */
export async function status(
  argv: readonly string[],
  io: Io,
  stop: AbortSignal,
  env: Environment = processEnvironment(),
): Promise<number> {
  const given = adminOptions(argv, ([first]) => first && `unexpected argument ${first}`)
  const options = understood(given, { command: 'status', usage }, io)
  if (typeof options === 'number') return options
  const address = adminAddress(options, env, io)
  if (!address) return exitCodes.configuration
  try {
    const seen = await look(address, systemClock, stop)
    const coloured = isTerminal(io) && !env.NO_COLOR
    io.stdout.write(options.json ? `${JSON.stringify(seen, null, 2)}\n` : statusText(seen, coloured))
    return seen.pipelines.some(({ state }) => state === 'failed') ? exitCodes.failed : exitCodes.done
  } catch (error) {
    if (!(error instanceof AdminUnreachable)) throw error
    io.stderr.write(`mongo2kafka status: ${error.message}\n`)
    return exitCodes.failed
  }
}

export interface Seen {
  readonly pipelines: readonly PipelineStatus[]
  /** null: the daemon does not know yet. */
  readonly workers: WorkersView | null
}

async function look(address: AdminAddress, clock: Clock, stop: AbortSignal): Promise<Seen> {
  const ask = (path: string) => askAdmin(address, { method: 'GET', path }, clock, stop)
  const [pipelines, workers] = await Promise.all([ask('/api/v1/pipelines'), ask('/api/v1/workers')])
  const body = pipelines.body as Pick<Seen, 'pipelines'> | undefined
  if (pipelines.status !== 200 || !Array.isArray(body?.pipelines)) {
    throw new AdminUnreachable(`${address.url} is no admin server of mongo2kafka: it answered ${pipelines.status}`)
  }
  return { pipelines: body.pipelines, workers: workers.status === 200 ? (workers.body as WorkersView) : null }
}

const headings = ['PIPELINE', 'STATE', 'LAG', 'POSITION', 'HEADROOM', 'IN FLIGHT', 'RECORDS', 'LIMITED BY']

/** A table of the pipelines, their errors with the remedies, and the workers. */
export function statusText({ pipelines, workers }: Seen, coloured: boolean): string {
  const rows = pipelines.map(each => [
    each.name,
    each.state,
    duration(each.lagMs),
    time(each.positionMs),
    duration(each.oplogHeadroomMs),
    String(each.inFlightRecords),
    String(each.records),
    limit(each),
  ])
  const text = rows.length > 0 ? table(headings, rows) : 'No pipeline yet.\n'
  const errors = pipelines.flatMap(({ name, error }) =>
    error ? [`\n${name}: ${error.code}: ${oneLine(error.message)}\n  Remedy: ${error.remedy}\n`] : [],
  )
  return [coloured ? withColours(text, pipelines) : text, ...errors, workers ? workersText(workers) : ''].join('')
}

function workersText({ slots, coordination, workers, name, advice }: WorkersView): string {
  const rows = workers.map(worker => {
    const who = worker.name === name ? `${worker.name} (this one)` : worker.name
    return [who, slotsText(worker.owned), busyText(worker.busy)]
  })
  const head = `\n${slots} ${slots === 1 ? 'slot' : 'slots'}, coordination ${coordination}\n`
  return `${head}${table(['WORKER', 'SLOTS', 'BUSY'], rows)}What would help: ${advice}\n`
}

const colours: Readonly<Partial<Record<PipelineState, number>>> = {
  running: 32,
  idle: 32,
  paused: 33,
  retrying: 33,
  failed: 31,
}

/** The states in colour, once the widths are settled: a terminal does not show the codes. */
function withColours(text: string, pipelines: readonly PipelineStatus[]): string {
  const [heading = '', ...lines] = text.split('\n')
  const at = heading.indexOf('STATE')
  const painted = lines.map((line, row) => {
    const state = pipelines[row]?.state
    const colour = state && colours[state]
    if (!colour) return line
    return `${line.slice(0, at)}\x1b[${colour}m${state}\x1b[0m${line.slice(at + state.length)}`
  })
  return [heading, ...painted].join('\n')
}

function isTerminal({ stdout }: Io): boolean {
  return 'isTTY' in stdout && stdout.isTTY === true
}
