import type { Clock } from '../clock.ts'
import type { Secret } from '../secret.ts'

/** The admin server of a daemon, as a command sees it. */
export interface AdminAddress {
  /** Such as http://127.0.0.1:8080, without a slash at the end. */
  readonly url: string
  readonly token: Secret | undefined
}

export interface AdminReply {
  readonly status: number
  /** The JSON of the answer; undefined where it is none. */
  readonly body: unknown
}

/** Nobody answered, or it was no admin server. The message says what to look at. */
export class AdminUnreachable extends Error {
  override readonly name = 'AdminUnreachable'
}

const askLimitMs = 10_000
/** A pause answers when the pipeline has drained, for which `shutdown.drain` sets the limit. */
const orderLimitMs = 120_000
const bodyLimitBytes = 16 * 2 ** 20

/** One request and its answer. Throws AdminUnreachable, or `stop`'s reason. */
export async function askAdmin(
  address: AdminAddress,
  request: { readonly method: 'GET' | 'POST'; readonly path: string },
  clock: Clock,
  stop: AbortSignal,
): Promise<AdminReply> {
  const { method, path } = request
  const limitMs = method === 'GET' ? askLimitMs : orderLimitMs
  const patience = new AbortController()
  const answered = new AbortController()
  const timer = clock.sleep(limitMs, answered.signal).then(
    () => patience.abort(new AdminUnreachable(`${address.url} has not answered for ${limitMs / 1_000} s`)),
    () => {},
  )
  const { token } = address
  const headers = { accept: 'application/json', ...(token && { authorization: `Bearer ${token.reveal()}` }) }
  const signal = AbortSignal.any([stop, patience.signal])
  try {
    // A redirect would carry the token to somebody else.
    const response = await fetch(`${address.url}${path}`, { method, headers, signal, redirect: 'error' })
    return { status: response.status, body: json(await text(response)) }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof AdminUnreachable) throw error
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const why = cause instanceof Error ? (codeOf(cause) ?? cause.message) : String(cause)
    const advice = 'is the daemon running, and is this its admin address? Name it with --url or -c FILE'
    throw new AdminUnreachable(`nothing answers at ${address.url} (${why}): ${advice}`)
  } finally {
    answered.abort()
    await timer
  }
}

async function text(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > bodyLimitBytes) throw new AdminUnreachable("the answer is too long to be an admin server's")
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
