import type { Clock } from '../../../clock.ts'
import { untilAborted } from '../../../deadline.ts'
import { Retryable } from '../../../errors.ts'
import { backOffMs } from '../../../retry.ts'
import { faultOf, protocolCode } from '../classify.ts'
import type { CoordinatorConnection, Wire } from '../wire.ts'

/** While the markers of the transaction before are written: a few milliseconds on a well broker. */
const markersBackOff = { initialMs: 2, maxMs: 50 }
/** While there is no coordinator, or a partition is not known yet. */
const absenceBackOff = { initialMs: 50, maxMs: 1_000 }

const concurrentTransactions = 51
/** The broker does not coordinate this id, or not yet: nothing was done. */
const coordinatorCodes: ReadonlySet<number> = new Set([14, 15, 16])
/** The coordinator could not do it now, and has done nothing: metadata on their way, no replicas, a slow log. */
const transientCodes: ReadonlySet<number> = new Set([3, 5, 6, 7, 19, 20, 56, concurrentTransactions])

export interface CoordinatorsParts {
  /** Belongs to the caller, who disposes it afterwards. */
  readonly wire: Wire
  readonly clock: Clock
}

/**
 * What may be asked again although an answer did not come. A delayed EndTxn could end a later transaction too early, a
 * delayed AddPartitionsToTxn open one that nobody ends.
 */
export type Resend = 'after-no-answer' | 'never'

/**
 * Finds the coordinators of transactional ids and asks them, over one connection for each broker, which all sinks of
 * a target share: sixteen slots of many pipelines are as few connections as one.
 */
export class Coordinators implements Disposable {
  readonly #parts: CoordinatorsParts
  readonly #closing = new AbortController()
  /** Node id by transactional id. */
  readonly #nodes = new Map<string, number>()
  readonly #connections = new Map<number, Promise<CoordinatorConnection>>()

  constructor(parts: CoordinatorsParts) {
    this.#parts = parts
  }

  /**
   * Asks until there is an answer that is the coordinator's verdict, as long as `signal` lets it. Rejects with the
   * Fault of that verdict, with the signal's reason, and where `resend` is never also without an answer: then it is
   * not known whether the coordinator has done it.
   */
  async ask<T>(
    transactionalId: string,
    question: (connection: CoordinatorConnection) => Promise<T>,
    resend: Resend,
    signal: AbortSignal,
  ): Promise<T> {
    const { clock } = this.#parts
    const either = AbortSignal.any([signal, this.#closing.signal])
    for (let attempt = 1; ; attempt += 1) {
      let wasAsked = false
      try {
        const connection = await untilAborted(this.#connectionFor(transactionalId, either), either)
        wasAsked = true
        return await untilAborted(question(connection), either)
      } catch (error) {
        either.throwIfAborted()
        const fault = faultOf(error, `ask the coordinator of ${transactionalId}`)
        const code = protocolCode(fault)
        const isSilent = code === undefined
        if (isSilent) this.#forgetNodeOf(transactionalId)
        if (!(fault instanceof Retryable) || (wasAsked && isSilent && resend === 'never')) throw fault
        if (!isSilent && coordinatorCodes.has(code)) this.#nodes.delete(transactionalId)
        else if (!isSilent && !transientCodes.has(code)) throw fault
        const backOff = code === concurrentTransactions ? markersBackOff : absenceBackOff
        await clock.sleep(backOffMs(backOff, attempt, clock), either)
      }
    }
  }

  /** Closes the connections; questions under way reject. The sinks were disposed before. */
  [Symbol.dispose](): void {
    this.#closing.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us'))
    for (const opening of this.#connections.values()) {
      opening.then(
        connection => connection.close(),
        () => {},
      )
    }
    this.#connections.clear()
  }

  /** It does not answer: whoever it coordinated may have another coordinator by now, and is to ask first. */
  #forgetNodeOf(transactionalId: string): void {
    const silent = this.#nodes.get(transactionalId)
    for (const [id, nodeId] of this.#nodes) if (nodeId === silent) this.#nodes.delete(id)
  }

  async #connectionFor(transactionalId: string, signal: AbortSignal): Promise<CoordinatorConnection> {
    const known = this.#nodes.get(transactionalId)
    const nodeId = known ?? (await this.#parts.wire.findCoordinator(transactionalId, signal))
    this.#nodes.set(transactionalId, nodeId)
    const opening = this.#connections.get(nodeId)
    const connection = await opening?.catch(() => undefined)
    if (connection !== undefined && !connection.closed) return connection
    const other = this.#connections.get(nodeId) // Somebody else may have opened one meanwhile.
    return other !== undefined && other !== opening ? other : this.#open(nodeId)
  }

  /** Shared by all who ask; so it is not for one of them to abort. */
  #open(nodeId: number): Promise<CoordinatorConnection> {
    const opening = this.#parts.wire.coordinate(nodeId, this.#closing.signal)
    opening.catch(() => {}) // Who asked hears of it; who comes later opens another.
    this.#connections.set(nodeId, opening)
    return opening
  }
}
