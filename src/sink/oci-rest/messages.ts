import { type Api, jsonOf } from './api.ts'
import type { StreamFacts } from './streams.ts'

type Target = Pick<StreamFacts, 'id' | 'name' | 'messagesEndpoint'>

/** The result of one message of PutMessages, in the order of the request. */
export interface PutResult {
  /** undefined where it was refused. */
  readonly partition: string | undefined
  readonly offset: number | undefined
  /** Status code as text, such as `429`; undefined: it is stored. */
  readonly error: string | undefined
  /** The wait that the service names for it. */
  readonly waitMs: number | undefined
}

interface PutMessagesResult {
  readonly failures: number
  readonly entries: readonly {
    readonly partition?: string | null
    readonly offset?: number | null
    readonly error?: string | null
    readonly errorMessage?: string | null
  }[]
}

/** One message of PutMessages, as a member of its JSON: key and value are base64 and never need escapes. */
export function messageJson(key: Buffer, value: Buffer): string {
  return `{"key":"${key.toString('base64')}","value":"${value.toString('base64')}"}`
}

/**
 * PutMessages: stores `messages` (each from `messageJson`); one by one, any of them may fail. Rejects as `Api.call`, and
 * with Retryable where the answer is not about these messages.
 */
export async function putMessages(
  api: Api,
  { id, name, messagesEndpoint: endpoint }: Target,
  messages: readonly string[],
  signal: AbortSignal,
): Promise<readonly PutResult[]> {
  const body = Buffer.from(`{"messages":[${messages.join(',')}]}`)
  const answer = await api.call({ method: 'POST', endpoint, path: messagesPath(id), body }, signal)
  const { entries } = jsonOf<Partial<PutMessagesResult>>(answer, `PutMessages to ${name}`)
  if (entries?.length !== messages.length) {
    throw new RangeError(`PutMessages to ${name}: ${entries?.length} results for ${messages.length} messages`)
  }
  return entries.map(({ partition, offset, error, errorMessage }) => ({
    partition: partition ?? undefined,
    offset: offset ?? undefined,
    error: error || undefined,
    waitMs: error ? namedWaitMs(errorMessage ?? '') : undefined,
  }))
}

/**
 * The service names the wait for a message only in words: "Request was throttled because bytes limit exhausted, next
 * request can be made in 453 ms" (https://github.com/oracle/oci-go-sdk/issues/479). Whether it was throttled at all is
 * told by its code.
 */
function namedWaitMs(errorMessage: string): number | undefined {
  const ms = /\bin (\d{1,9}) ?ms\b/.exec(errorMessage)?.[1]
  return ms === undefined ? undefined : Number(ms)
}

/** A message as GetMessages gives it. */
export interface Message {
  readonly key: Buffer
  readonly value: Buffer
  readonly offset: number
  /** When the service stored it, milliseconds since the Unix epoch. */
  readonly timestampMs: number
}

/** CreateCursor AT_TIME: the first message of `partition` that was stored at `fromMs` or later. Rejects as `Api.call`. */
export async function cursorAt(
  api: Api,
  { id, messagesEndpoint: endpoint }: Target,
  partition: number,
  fromMs: number,
  signal: AbortSignal,
): Promise<string> {
  const start = fromMs > 0 ? { type: 'AT_TIME', time: new Date(fromMs).toISOString() } : { type: 'TRIM_HORIZON' }
  const body = Buffer.from(JSON.stringify({ partition: String(partition), ...start }))
  const path = `/streams/${encodeURIComponent(id)}/cursors`
  const answer = await api.call({ method: 'POST', endpoint, path, body }, signal)
  return jsonOf<{ readonly value: string }>(answer, 'CreateCursor').value
}

/** GetMessages: what comes next, possibly nothing, and the cursor behind it. Rejects as `Api.call`. */
export async function getMessages(
  api: Api,
  { id, messagesEndpoint: endpoint }: Target,
  cursor: string,
  signal: AbortSignal,
): Promise<{ readonly messages: readonly Message[]; readonly next: string }> {
  const query = { cursor, limit: '10000' }
  const answer = await api.call({ method: 'GET', endpoint, path: messagesPath(id), query }, signal)
  const found = jsonOf<readonly { key: string | null; value: string; offset: number; timestamp: string }[]>(
    answer,
    'GetMessages',
  )
  const messages = found.map(({ key, value, offset, timestamp }) => ({
    key: Buffer.from(key ?? '', 'base64'),
    value: Buffer.from(value, 'base64'),
    offset,
    timestampMs: Date.parse(timestamp),
  }))
  return { messages, next: String(answer.headers['opc-next-cursor'] ?? cursor) }
}

function messagesPath(id: string): string {
  return `/streams/${encodeURIComponent(id)}/messages`
}
