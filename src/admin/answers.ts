import type { ConfigStatus, PipelineStatus, WorkersStatus } from '../status.ts'
import { openApi } from './openapi.ts'
import { statusPage, statusPageSecurity } from './page.ts'
import { workersView } from './workers.ts'

/** What the admin server shows. Everything is asked for anew at each request. */
export interface Shown {
  statuses(): readonly PipelineStatus[]
  /** undefined: not known yet. */
  workers?(): WorkersStatus | undefined
  config?(): ConfigStatus | undefined
  /** Of mongo2kafka. */
  readonly version?: string
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One pipeline that keeps the worker from being ready. */
export interface Reason {
  /** null where no pipeline is known yet. */
  readonly pipeline: string | null
  readonly state: string
  readonly code: string | null
  readonly remedy: string | null
}

const readyStates: ReadonlySet<string> = new Set(['running', 'idle', 'paused', 'standby'])
const apiPath = '/api/v1/pipelines'
const workersPath = '/api/v1/workers'
const configPath = '/api/v1/config'
const openApiPath = '/api/v1/openapi.json'

/** The answer to `method` on `path` (percent-encoded, without query). Rejects only where the metrics do. */
export async function answer(method: string, path: string, shown: Shown): Promise<Answer> {
  const found = find(path)
  if (found === undefined) return failure(404, `nothing is at ${path.slice(0, 200)}`)
  if (method !== 'GET' && method !== 'HEAD') {
    return { ...failure(405, `only GET and HEAD work here`), headers: { allow: 'GET, HEAD' } }
  }
  return found(shown)
}

type Handler = (shown: Shown) => Answer | Promise<Answer>

const handlers: Readonly<Record<string, Handler>> = {
  '/': ({ statuses, workers, config }) => ({
    status: 200,
    type: 'text/html; charset=utf-8',
    body: statusPage(statuses(), { workers: workers?.(), config: config?.() }),
    headers: { 'content-security-policy': statusPageSecurity },
  }),
  '/livez': () => ({ status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' }),
  '/readyz': ({ statuses, workers }) => {
    const standby = workers?.()?.state === 'standby' // Nothing of ours runs, and all of it could.
    const reasons = standby ? [] : notReady(statuses())
    return json(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons })
  },
  '/metrics': async ({ metrics }) => ({ status: 200, type: metrics.contentType, body: await metrics.text() }),
  [apiPath]: ({ statuses }) => json(200, { pipelines: statuses() }),
  [workersPath]: ({ statuses, workers }) => {
    const known = workers?.()
    return known ? json(200, workersView(known, statuses())) : failure(503, 'the workers are not known yet')
  },
  [configPath]: ({ config }) => {
    const known = config?.()
    return known ? json(200, known) : failure(503, 'the configuration is not in force yet')
  },
  [openApiPath]: ({ version }) => json(200, openApi(version ?? 'unknown')),
}

/** Every path that takes no name. */
export const fixedPaths: readonly string[] = Object.keys(handlers)

function find(path: string): Handler | undefined {
  if (Object.hasOwn(handlers, path)) return handlers[path]
  if (!path.startsWith(`${apiPath}/`)) return undefined
  const segment = path.slice(apiPath.length + 1)
  const name = decoded(segment)
  if (!name || segment.includes('/')) return undefined
  return ({ statuses }) => {
    const status = statuses().find(each => each.name === name)
    return status ? json(200, status) : unknownPipeline(name)
  }
}

/** What a path such as `/api/v1/pipelines/NAME/pause` orders; undefined where it is no such path. */
export function orderOf(path: string): Order | undefined {
  if (!path.startsWith(`${apiPath}/`)) return undefined
  const [segment = '', action = '', ...more] = path.slice(apiPath.length + 1).split('/')
  const name = decoded(segment)
  if (!name || more.length > 0 || (action !== 'pause' && action !== 'resume')) return undefined
  return { action, pipeline: name }
}

export interface Order {
  readonly action: 'pause' | 'resume'
  readonly pipeline: string
}

export function unknownPipeline(name: string): Answer {
  return failure(404, `there is no pipeline ${JSON.stringify(name.slice(0, 200))}`)
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Why the worker is not ready: none where it is. Without any pipeline it is still starting (G8). */
export function notReady(statuses: readonly PipelineStatus[]): Reason[] {
  if (statuses.length === 0) return [{ pipeline: null, state: 'starting', code: null, remedy: null }]
  return statuses
    .filter(({ state }) => !readyStates.has(state))
    .map(({ name, state, error }) => ({
      pipeline: name,
      state,
      code: error?.code ?? null,
      remedy: error?.remedy ?? null,
    }))
}

export function failure(status: number, error: string): Answer {
  return json(status, { error })
}

export function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` }
}
