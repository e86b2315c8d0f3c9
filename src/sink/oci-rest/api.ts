import type { Clock } from '../../clock.ts'
import { withDeadline } from '../../deadline.ts'
import { Configuration, type Fault, Retryable } from '../../errors.ts'
import { type Answer, type Http, NoAnswer } from './http.ts'
import type { Principal } from './principal.ts'
import { signedHeaders } from './signature.ts'

/** The version of the Streaming API, the first part of every path. */
const basePath = '/20180418'
/** The services that give instances and pods their keys are asked by Oracle's package, which knows no limit. */
const loginLimitMs = 60_000

export interface ApiParts {
  readonly http: Http
  readonly principal: Principal
  readonly clock: Clock
}

export interface Call {
  readonly method: 'GET' | 'POST'
  /** Such as `https://streaming.eu-frankfurt-1.oci.oraclecloud.com`. */
  readonly endpoint: string
  /** Behind the version, each part encoded: `/streams/OCID/messages`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** JSON. */
  readonly body?: Buffer
}

/** The service has answered, and not with success. */
export class Refused extends Error {
  readonly status: number
  /** OCI's own word, such as `NotAuthorizedOrNotFound`. */
  readonly serviceCode: string
  /** What Oracle's support asks for. */
  readonly requestId: string
  /** The wait that Retry-After names, milliseconds. */
  readonly waitMs: number | undefined

  constructor(what: string, answer: Answer) {
    const { code, message } = errorOf(answer.body)
    const requestId = String(answer.headers['opc-request-id'] ?? 'unknown')
    super(`${what}: ${answer.status} ${code}: ${message} (opc-request-id ${requestId})`)
    this.name = 'Refused'
    this.status = answer.status
    this.serviceCode = code
    this.requestId = requestId
    this.waitMs = retryAfterMs(answer)
  }
}

/** Signed calls of the Streaming API. */
export class Api {
  readonly #parts: ApiParts
  #aheadMs = 0

  constructor(parts: ApiParts) {
    this.#parts = parts
  }

  /** The service's own time, by the header Date of its latest answer: to the second. */
  get serviceMs(): number {
    return this.#parts.clock.nowMs() + this.#aheadMs
  }

  /**
   * The answer of a call that succeeded. Where the signature is refused, the principal is renewed and the call made once
   * more. Rejects with NoAnswer, Refused, a Fault of the principal, or the reason of `signal`.
   */
  async call(call: Call, signal: AbortSignal): Promise<Answer> {
    const { clock } = this.#parts
    let answer = await this.#attempt(call, signal)
    if (answer.status === 401) {
      await bounded(this.#parts.principal.refresh(), clock, signal)
      answer = await this.#attempt(call, signal)
    }
    if (answer.status >= 200 && answer.status < 300) return answer
    throw new Refused(`${call.method} ${call.path}`, answer)
  }

  async #attempt({ method, endpoint, path, query, body }: Call, signal: AbortSignal): Promise<Answer> {
    const { http, principal, clock } = this.#parts
    const url = new URL(endpoint)
    url.pathname = basePath + path
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value)
    const credentials = await bounded(principal.credentials(), clock, signal)
    // By the service's clock: a machine whose own is five minutes off would be refused.
    const headers = await signedHeaders({ method, url, body }, credentials, this.serviceMs)
    const answer = await http.exchange({ method, url, headers, body }, signal)
    const date = Date.parse(answer.headers.date ?? '')
    if (Number.isFinite(date)) this.#aheadMs = date - clock.nowMs()
    return answer
  }
}

/** `login`, or Retryable SINK_UNREACHABLE where it takes too long. What is not waited for any more goes on unheard. */
export async function bounded<T>(login: Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  const late = () => new Retryable('SINK_UNREACHABLE', `logging in to OCI took more than ${loginLimitMs} ms`)
  return await withDeadline(login, { limitMs: loginLimitMs, late, clock, signal, onEnd: () => {} })
}

/** What a failed call means for the pipeline. */
export function faultOf(error: unknown, endpoint: string): Fault | Error {
  if (error instanceof NoAnswer) {
    return error.mayHaveArrived
      ? new Retryable('SINK_UNAVAILABLE', error.message, { cause: error })
      : new Retryable('SINK_UNREACHABLE', error.message, { cause: error })
  }
  if (!(error instanceof Refused)) return error instanceof Error ? error : new Error(String(error))
  const { status, message } = error
  const options = { cause: error }
  if (status === 401) return new Configuration('SINK_OCI_AUTH', `${endpoint}: ${message}`, options)
  if (status === 403 || status === 404) return new Configuration('SINK_OCI_UNAUTHORIZED', message, options)
  // 409: a stream that is being created or moved; 429: throttled; 5xx: theirs.
  if (status === 409 || status === 429 || status >= 500) return new Retryable('SINK_UNAVAILABLE', message, options)
  return new Configuration('SINK_OCI_REJECTED', message, options)
}

/** The body of an answer as JSON. Throws Retryable where it is none: something between us and the service spoke. */
export function jsonOf<T>(answer: Answer, what: string): T {
  try {
    return JSON.parse(answer.body.toString()) as T
  } catch (cause) {
    throw new Retryable('SINK_UNAVAILABLE', `${what}: the answer is not JSON`, { cause })
  }
}

function errorOf(body: Buffer): { readonly code: string; readonly message: string } {
  const text = body.toString('utf8', 0, 1_000)
  try {
    const { code, message } = JSON.parse(body.toString()) as { readonly code?: unknown; readonly message?: unknown }
    return { code: String(code).slice(0, 100), message: String(message).slice(0, 500) }
  } catch {
    return { code: 'no code', message: text.slice(0, 200) }
  }
}

/** Retry-After in seconds or as a date. */
function retryAfterMs({ headers }: Answer): number | undefined {
  const text = headers['retry-after']
  if (text === undefined) return undefined
  const seconds = Number(text)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000)
  const waitMs = Date.parse(text) - Date.parse(headers.date ?? '')
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : undefined
}
