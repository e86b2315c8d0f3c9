import { systemClock } from '../clock.ts'
import { processEnvironment } from '../config/environment.ts'
import type { Environment } from '../config/interpolate.ts'
import { AdminUnreachable, askAdmin } from './admin-client.ts'
import { adminAddress, adminOptions, adminUsage } from './admin-options.ts'
import { exitCodes, type Io } from './io.ts'
import { understood } from './usage.ts'

type Action = 'pause' | 'resume'

const what: Readonly<Record<Action, string>> = {
  pause:
    'Lets the pipeline finish what it has read, then rest at its position; the others go on. Lasts until it is resumed\nor every worker that knows of it has ended. Workers that share their slots by Kafka tell each other within seconds;\nelsewhere each is asked by itself.',
  resume:
    'Lets a paused pipeline go on where it stopped, and starts one that has failed again; on all workers that share their\nslots by Kafka.',
}
const past: Readonly<Record<Action, string>> = { pause: 'paused', resume: 'running again' }
const already: Readonly<Record<Action, string>> = { pause: 'was paused already', resume: 'was not paused' }

function usage(action: Action): string {
  return `Usage: mongo2kafka ${action} PIPELINE [-c FILE] [--url URL] [--token TOKEN] [--json]

${what[action]} Needs the token that the daemon has as admin.token.
${adminUsage}`
}

/** `mongo2kafka pause` and `resume`: resolve to the exit code once the daemon has done it. */
export async function pauseOrResume(
  action: Action,
  argv: readonly string[],
  io: Io,
  stop: AbortSignal,
  env: Environment = processEnvironment(),
): Promise<number> {
  const given = adminOptions(argv, names => {
    if (names.length === 0) return 'which PIPELINE?'
    return names.length > 1 ? 'one PIPELINE only' : undefined
  })
  const options = understood(given, { command: action, usage: usage(action) }, io)
  if (typeof options === 'number') return options
  const address = adminAddress(options, env, io)
  if (!address) return exitCodes.configuration
  const [pipeline = ''] = options.positionals
  const path = `/api/v1/pipelines/${encodeURIComponent(pipeline)}/${action}`
  try {
    const { status, body } = await askAdmin(address, { method: 'POST', path }, systemClock, stop)
    if (status !== 200) {
      io.stderr.write(`mongo2kafka ${action}: ${errorIn(body) ?? `${address.url} answered ${status}`}\n`)
      return exitCodes.failed
    }
    const { changed } = body as { readonly changed: boolean }
    const text = `${pipeline}: ${changed ? past[action] : already[action]}`
    io.stdout.write(options.json ? `${JSON.stringify(body)}\n` : `${text}\n`)
    return exitCodes.done
  } catch (error) {
    if (!(error instanceof AdminUnreachable)) throw error
    io.stderr.write(`mongo2kafka ${action}: ${error.message}\n`)
    return exitCodes.failed
  }
}

function errorIn(body: unknown): string | undefined {
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
  return typeof error === 'string' ? error : undefined
}
