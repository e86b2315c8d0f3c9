import { Fault } from '../../../errors.ts'
import { type ApiVersions, speaks } from '../protocol/api-versions.ts'
import { BrokerError } from '../protocol/broker-error.ts'
import type { Request } from '../protocol/request.ts'
import { saslAuthenticateApi, saslAuthenticateRequest } from '../protocol/sasl-authenticate.ts'
import { saslHandshakeRequest } from '../protocol/sasl-handshake.ts'
import { type Dialogue, type Login, loginRefused } from './login.ts'

/** One request on the connection that is logged in, before everything that waits for it. */
export type Ask = <T>(request: Request<T>) => Promise<T>

/** More messages has no mechanism; a broker that goes on asking is none. */
const messagesLimit = 8
/** Kafka's codes of a broker that is busy with something else, not of a login that is wrong. */
const passing: ReadonlySet<number> = new Set([-1, 7, 14, 15])

/**
 * Leads `dialogue` with the broker, from the handshake on: how long the login lasts, milliseconds, 0: for ever. It has
 * begun already: `first` is what it said, so that fetching a token holds nothing up. Throws Configuration
 * SINK_AUTH_FAILED for what the broker refuses, and what `ask` throws for connections that break.
 */
export async function logIn(
  ask: Ask,
  login: Login,
  { dialogue, first, versions }: { dialogue: Dialogue; first: IteratorResult<Buffer, void>; versions: ApiVersions },
): Promise<number> {
  const apiVersion = speaks(versions, saslAuthenticateApi) ? 1 : 0
  let sessionMs = 0
  try {
    await ask(saslHandshakeRequest(login.mechanism))
    let said = first
    for (let messages = 0; said.done !== true; messages += 1) {
      if (messages === messagesLimit) throw loginRefused(login, 'the broker does not come to an end')
      const answer = await ask(saslAuthenticateRequest(said.value, apiVersion))
      sessionMs = answer.sessionMs
      said = await dialogue.next(answer.bytes)
    }
  } catch (error) {
    throw refusal(login, error)
  } finally {
    await dialogue.return()
  }
  return sessionMs
}

/** A broker's answer to a login as the fault that names who was refused and how; other errors as they are. */
export function refusal(login: Login, error: unknown): unknown {
  if (error instanceof Fault) return error
  if (!(error instanceof BrokerError) || passing.has(error.code)) return error
  return loginRefused(login, error.message, error)
}
