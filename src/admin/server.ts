import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Clock, systemClock } from '../clock.ts'
import { Configuration } from '../errors.ts'
import type { Logger } from '../log.ts'
import { createRedact } from '../redact.ts'
import type { Secret, Secrets } from '../secret.ts'
import type { ConfigStatus, PipelineStatus } from '../status.ts'
import { type Answer, answer, failure, type Order, orderOf, type Shown } from './answers.ts'
import { type Caller, type Control, ControlDesk } from './control.ts'
import { type AdminLimits, adminLimits } from './limits.ts'

export interface AdminOptions extends Shown {
  /** Loopback unless given: the pages need no login, so opening them to a network is a decision. */
  readonly host?: string
  /** 0: any free port, see `Admin.address`. */
  readonly port: number
  readonly log: Logger
  /** Bearer token of what changes something; without it all of that is refused. */
  readonly token?: Secret | undefined
  /** What pauses and resumes pipelines; asked for anew at each order, undefined while there is none yet. */
  readonly control?: () => Control | undefined
  readonly clock?: Clock
  /** How long a client may leave an answer unread: we keep what it does not read. Default 10 s. */
  readonly unreadLimitMs?: number
  /** In the place of the usual ones. */
  readonly limits?: Partial<AdminLimits>
  /** Removed from error messages of the pipelines, beside what patterns find (G9). */
  readonly secrets?: readonly Secret[] | Secrets
}

export interface Admin extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number }
}

/**
 * Health, metrics, status page and status API over HTTP, until `signal` aborts or the server is disposed. Rejects with
 * Configuration ADMIN_UNAVAILABLE where the address cannot be had.
 */
export async function startAdmin(options: AdminOptions, signal: AbortSignal): Promise<Admin> {
  signal.throwIfAborted()
  const { host = '127.0.0.1', port, log } = options
  const shown: Shown = {
    ...(options.version !== undefined && { version: options.version }),
    metrics: options.metrics,
    statuses: withoutSecrets(options),
    ...(options.workers && { workers: options.workers }),
    config: configWithoutSecrets(options),
  }
  const room: Room = { shown, log, desk: deskOf(options), unreadLimitMs: options.unreadLimitMs ?? 10_000 }
  const { maxConnections, ...limits } = { ...adminLimits, ...options.limits }
  const server = createServer(limits, (request, response) => {
    respond(request, response, room).catch(error => {
      log.error({ error }, 'the admin server could not answer')
      response.destroy()
    })
  })
  server.maxConnections = maxConnections
  await listen(server, host, port)
  warnIfOpen(options, host)
  server.on('error', error => log.error({ error }, 'the admin server has a problem'))
  const stop = () => close(server)
  const onAbort = () => void stop().catch(error => log.error({ error }, 'the admin server did not close'))
  signal.addEventListener('abort', onAbort, { once: true })
  return {
    address: { host, port: boundPort(server) },
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', onAbort)
      await stop()
    },
  }
}

/** What is shown has no login (SECURITY.md): who listens on a network should know, and that orders need a token. */
function warnIfOpen({ token, log }: AdminOptions, host: string): void {
  if (isLoopback(host)) return
  const orders = token
    ? 'orders travel with their token as plain text'
    : 'orders are refused, for there is no admin.token'
  log.warn({ host }, `the admin pages are open to whoever reaches this address, without login; ${orders}`)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Errors of drivers quote URIs; what a page shows is as public as a log. */
function withoutSecrets(options: AdminOptions): () => readonly PipelineStatus[] {
  const redact = createRedact(options.secrets)
  return () =>
    options
      .statuses()
      .map(status =>
        status.error ? { ...status, error: { ...status.error, message: redact(status.error.message) } } : status,
      )
}

/** Problems of a configuration may quote what stands in it. */
function configWithoutSecrets(options: AdminOptions): () => ConfigStatus | undefined {
  const redact = createRedact(options.secrets)
  return () => {
    const config = options.config?.()
    if (!config?.lastReload) return config
    return { ...config, lastReload: { ...config.lastReload, problems: config.lastReload.problems.map(redact) } }
  }
}

/** What every request is answered from. */
interface Room {
  readonly shown: Shown
  readonly desk: (order: Order, caller: Caller) => Promise<Answer>
  readonly log: Logger
  readonly unreadLimitMs: number
}

function deskOf(options: AdminOptions): Room['desk'] {
  const { token, control, statuses, log, clock = systemClock } = options
  const names = () => statuses().map(({ name }) => name)
  const desk = new ControlDesk({ token, control: () => control?.(), names, log, clock })
  return (order, caller) => desk.answer(order, caller)
}

async function respond(request: IncomingMessage, response: ServerResponse, room: Room): Promise<void> {
  const method = request.method ?? 'GET'
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  const [path = '/'] = (request.url ?? '/').split('?', 1)
  // Nothing here takes a body: it is neither read nor waited for, and an order that has one is not carried out.
  const refused = hasBody && method === 'POST' ? failure(413, noBody) : undefined
  let result = refused ?? (await resultOf(request, path, room))
  if (hasBody && result.status === 200) result = failure(413, noBody)
  write(response, result, {
    withBody: method !== 'HEAD',
    close: hasBody,
    unreadLimitMs: room.unreadLimitMs,
    log: room.log,
  })
}

const noBody = 'this request must not have a body'

async function resultOf(request: IncomingMessage, path: string, { shown, desk, log }: Room): Promise<Answer> {
  const method = request.method ?? 'GET'
  try {
    const order = orderOf(path)
    if (!order) return await answer(method, path, shown)
    if (method !== 'POST') return { ...failure(405, 'only POST works here'), headers: { allow: 'POST' } }
    const { authorization } = request.headers
    return await desk(order, { authorization, remoteAddress: request.socket.remoteAddress ?? 'gone' })
  } catch (error) {
    log.error({ error, path }, 'the admin server could not answer')
    return failure(500, 'this failed here; the log says why')
  }
}

interface How {
  readonly withBody: boolean
  readonly close: boolean
  readonly unreadLimitMs: number
  readonly log: Logger
}

function write(response: ServerResponse, result: Answer, how: How): void {
  response.writeHead(result.status, {
    'content-type': result.type,
    'content-length': Buffer.byteLength(result.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    ...(how.close && { connection: 'close' }),
    ...result.headers,
  })
  response.setTimeout(how.unreadLimitMs, () => {
    how.log.debug({}, 'a client of the admin server has left its answer unread and is cut off')
    response.destroy()
  })
  response.end(how.withBody ? result.body : undefined)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', error =>
    reject(new Configuration('ADMIN_UNAVAILABLE', `admin: cannot listen on ${host}:${port}`, { cause: error })),
  )
  server.listen({ host, port }, () => {
    server.removeAllListeners('error')
    resolve()
  })
  return promise
}

function boundPort(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Open answers are cut: a client that reads slowly must not keep the daemon from ending. */
function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeAllConnections()
  return promise
}
