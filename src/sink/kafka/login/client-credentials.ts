import { readFile } from 'node:fs/promises'
import { request as plainRequest } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { type Clock, steady } from '../../../clock.ts'
import { withDeadline } from '../../../deadline.ts'
import { Configuration, Fault, Retryable } from '../../../errors.ts'
import type { TokenSource } from './oauth-bearer.ts'
import type { SecretSource } from './password.ts'

export interface ClientCredentialsOptions {
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: SecretSource
  readonly scope?: string | undefined
  readonly audience?: string | undefined
  /** Path of the authorities to trust, PEM; read anew for each token. undefined: the system's. */
  readonly ca?: string | undefined
  readonly clock: Clock
}

const answerLimitMs = 10_000
const answerLimitBytes = 256 * 1024
/** A token is used for this part of its life: a login with it must not be its last moment. */
const usedShare = 0.8

/**
 * Tokens of an authorization server by the client credentials grant, kept while they are good. Throws Configuration
 * SINK_AUTH_FAILED where it refuses the client, Retryable SINK_UNAVAILABLE where it does not answer. Source: RFC 6749,
 * sections 4.4 and 2.3.1.
 */
export function clientCredentials(options: ClientCredentialsOptions): TokenSource {
  // A time of day that is set back makes no token good for longer, nor does a steady clock that stood still while the
  // machine slept.
  const clocks = [options.clock, steady(options.clock)]
  let kept: { readonly token: string; readonly untilMs: readonly number[] } | undefined
  return async signal => {
    const known = kept
    if (known !== undefined && clocks.every((clock, i) => clock.nowMs() < known.untilMs[i]!)) return known.token
    const askedMs = clocks.map(clock => clock.nowMs())
    const { token, lifeMs } = await askToken(options, signal)
    kept = { token, untilMs: askedMs.map(ms => ms + usedShare * lifeMs) }
    return token
  }
}

async function askToken(options: ClientCredentialsOptions, signal: AbortSignal) {
  const { tokenEndpoint, clock } = options
  const what = `the authorization server ${new URL(tokenEndpoint).origin}`
  const ending = new AbortController()
  try {
    const late = () => new Error(`no answer within ${answerLimitMs} ms`)
    const onEnd = () => ending.abort()
    const asking = post(options, ending.signal)
    const { status, body } = await withDeadline(asking, { limitMs: answerLimitMs, late, clock, signal, onEnd })
    if (status === 200) return readToken(body, what)
    const message = `Kafka: ${what} answers ${status}${errorOf(body)}`
    if (status >= 500 || status === 429) throw new Retryable('SINK_UNAVAILABLE', message)
    throw new Configuration('SINK_AUTH_FAILED', `${message}: check sink.sasl.oauth`)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Fault) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Retryable('SINK_UNAVAILABLE', `Kafka: ${what} cannot be asked for a token: ${why}`, { cause: error })
  }
}

async function post(options: ClientCredentialsOptions, signal: AbortSignal): Promise<{ status: number; body: Buffer }> {
  const { tokenEndpoint, clientId, clientSecret, scope, audience, ca } = options
  const form = new URLSearchParams({ grant_type: 'client_credentials' })
  if (scope !== undefined) form.set('scope', scope)
  if (audience !== undefined) form.set('audience', audience)
  const pair = `${formEncoded(clientId)}:${formEncoded(await clientSecret())}`
  const requestOptions: RequestOptions = {
    method: 'POST',
    signal,
    agent: false,
    ...(ca !== undefined && { ca: await readFile(ca) }),
    headers: {
      authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
  }
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: Buffer }>()
  const send = new URL(tokenEndpoint).protocol === 'http:' ? plainRequest : request
  const asking = send(tokenEndpoint, requestOptions, answer => {
    const chunks: Buffer[] = []
    let bytes = 0
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > answerLimitBytes) answer.destroy(new Error(`an answer of more than ${answerLimitBytes} bytes`))
      else chunks.push(chunk)
    })
    answer.on('error', reject)
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }))
  })
  asking.on('error', reject)
  asking.end(form.toString())
  return await promise
}

/** application/x-www-form-urlencoded, as the RFC wants name and secret before they are joined. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

function readToken(body: Buffer, what: string): { token: string; lifeMs: number } {
  const answer = jsonOf(body)
  const { access_token: token, expires_in: seconds } = answer
  if (typeof token !== 'string' || !/^[\w.~+/=-]+$/.test(token)) {
    throw new Configuration('SINK_AUTH_FAILED', `Kafka: ${what} gives no access token: check sink.sasl.oauth`)
  }
  return { token, lifeMs: 1_000 * (typeof seconds === 'number' && seconds > 0 ? seconds : 0) }
}

/** The error's code, one of few words. The rest of the answer is a stranger's text and may quote what was sent. */
function errorOf(body: Buffer): string {
  const { error } = jsonOf(body)
  return typeof error === 'string' && /^\w{1,64}$/.test(error) ? ` (${error})` : ''
}

function jsonOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}
