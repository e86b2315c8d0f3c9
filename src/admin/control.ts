import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { LogFields, Logger } from '../log.ts'
import type { Secret } from '../secret.ts'
import type { ControlResult } from '../status.ts'
import { type Answer, failure, json, type Order, unknownPipeline } from './answers.ts'

/** What the admin server may order. Settles when it is done: a pause when the pipeline has drained. */
export interface Control {
  pause(pipeline: string): Promise<ControlResult>
  resume(pipeline: string): Promise<ControlResult>
}

export interface ControlParts {
  /** undefined: every order is refused. */
  readonly token: Secret | undefined
  /** undefined: the daemon is still starting. */
  readonly control: () => Control | undefined
  readonly names: () => readonly string[]
  readonly log: Logger
  readonly clock: Clock
}

/** Who gives an order, as the connection and its headers say. */
export interface Caller {
  readonly remoteAddress: string
  readonly authorization: string | undefined
}

const noToken =
  'orders are refused: no token is configured. Set admin.token, restart, and send it as: Authorization: Bearer TOKEN'
const wrongToken = 'this needs the configured token as: Authorization: Bearer TOKEN'

/** Carries out orders that come with the token, and leaves a line in the log for each (who, what, result). */
export class ControlDesk {
  readonly #parts: ControlParts
  readonly #refusals: RefusalLog

  constructor(parts: ControlParts) {
    this.#parts = parts
    this.#refusals = new RefusalLog(parts.log, parts.clock)
  }

  async answer(order: Order, caller: Caller): Promise<Answer> {
    const { token, names, log } = this.#parts
    const fields = { audit: order.action, pipeline: order.pipeline.slice(0, 200), remoteAddress: caller.remoteAddress }
    if (token === undefined) {
      this.#refusals.record({ ...fields, result: 'no token is configured' })
      return failure(403, noToken)
    }
    if (!carries(caller.authorization, token)) {
      this.#refusals.record({ ...fields, result: 'without the token' })
      return { ...failure(401, wrongToken), headers: { 'www-authenticate': 'Bearer realm="mongo2kafka"' } }
    }
    if (!names().includes(order.pipeline)) {
      this.#refusals.record({ ...fields, result: 'unknown pipeline' })
      return unknownPipeline(order.pipeline)
    }
    const { answer, result } = await this.#carryOut(order)
    log.info({ ...fields, result }, `order to ${order.action} a pipeline: ${result}`)
    return answer
  }

  async #carryOut({ action, pipeline }: Order): Promise<{ answer: Answer; result: string }> {
    const { log } = this.#parts
    const control = this.#parts.control()
    if (!control) return { answer: failure(503, 'still starting: try again soon'), result: 'still starting' }
    try {
      const result = await (action === 'pause' ? control.pause(pipeline) : control.resume(pipeline))
      if ('refused' in result) return { answer: failure(409, result.refused), result: `refused: ${result.refused}` }
      const { changed } = result
      return { answer: json(200, { pipeline, action, changed }), result: changed ? 'done' : 'it was so already' }
    } catch (error) {
      log.error({ error, pipeline, action }, 'the order could not be carried out')
      return { answer: failure(500, 'this failed here; the log says why'), result: 'failed' }
    }
  }
}

/** Whether `authorization` is `Bearer` and the token. Takes the same time whatever is wrong: hashes are compared. */
function carries(authorization: string | undefined, token: Secret): boolean {
  const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1] ?? ''
  const sha256 = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(sha256(given), sha256(token.reveal()))
}

const refusalsAtOnce = 20
const refusalEveryMs = 10_000

/** Refused orders cost nothing to send, so what they write is bounded (G7): twenty lines, then one each ten seconds. */
class RefusalLog {
  readonly #log: Logger
  readonly #clock: Clock
  #left = refusalsAtOnce
  #sinceMs: number
  #silent = 0

  constructor(log: Logger, clock: Clock) {
    this.#log = log
    this.#clock = clock
    this.#sinceMs = clock.nowMs()
  }

  record(fields: LogFields): void {
    const nowMs = this.#clock.nowMs()
    const gained = Math.floor(Math.max(0, nowMs - this.#sinceMs) / refusalEveryMs)
    this.#left = Math.min(refusalsAtOnce, this.#left + gained)
    // A clock that was set back begins anew, or nothing would be logged until it has caught up.
    this.#sinceMs = nowMs < this.#sinceMs ? nowMs : this.#sinceMs + gained * refusalEveryMs
    if (this.#left === 0) {
      this.#silent += 1
      return
    }
    this.#left -= 1
    const unlogged = this.#silent
    this.#silent = 0
    this.#log.warn({ ...fields, ...(unlogged > 0 && { unlogged }) }, 'an order to the admin server was refused')
  }
}
