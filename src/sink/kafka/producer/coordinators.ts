import type { Clock } from '../../../clock.ts'
import { type Fault, Retryable } from '../../../errors.ts'
import { backOffMs } from '../../../retry.ts'
import { BrokerLines } from '../broker-lines.ts'
import { faultOf, protocolCode } from '../classify.ts'
import type { CoordinatorConnection, Wire } from '../wire.ts'

/** While the markers of the transaction before are written: a few milliseconds on a well broker. */
const markersBackOff = { initialMs: 2, maxMs: 50 }
/** While there is no coordinator, or a partition is not known yet. */
const absenceBackOff = { initialMs: 50, maxMs: 1_000 }

const concurrentTransactions = 51
/**
 * The broker does not coordinate this id, or not yet; or its log did not take the record in time, or is another's by
 * now, and then the record may stand (Kafka's TransactionStateManager, appendTransactionToLog, makes one code of both).
 * It stands before the answer or never. So the same question may be put again: partitions that are added are added, a
 * transaction that ended so is ended, and of two epochs the later one counts.
 */
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
  readonly #clock: Clock
  readonly #closing = new AbortController()
  readonly #lines: BrokerLines<number, CoordinatorConnection>

  constructor({ wire, clock }: CoordinatorsParts) {
    this.#clock = clock
    const find = (id: string, signal: AbortSignal) => wire.findCoordinator(id, signal)
    const open = (nodeId: number, signal: AbortSignal) => wire.coordinate(nodeId, signal)
    this.#lines = new BrokerLines({ find, open, onAbort: 'keep', clock })
  }

  /**
   * Asks until there is an answer that is the coordinator's verdict, as long as `signal` lets it. Rejects with the
   * Fault of that verdict, with the signal's reason, and where `resend` is never also without an answer: then it is
   * not known whether the coordinator has done it. `onTrouble` hears what an attempt ended with that is followed by
   * another.
   */
  async ask<T>(
    transactionalId: string,
    question: (connection: CoordinatorConnection) => Promise<T>,
    resend: Resend,
    signal: AbortSignal,
    onTrouble?: (fault: Fault) => void,
  ): Promise<T> {
    const either = AbortSignal.any([signal, this.#closing.signal])
    for (let attempt = 1; ; attempt += 1) {
      let wasAsked = false
      const put = (connection: CoordinatorConnection) => {
        wasAsked = true
        return question(connection)
      }
      try {
        return await this.#lines.ask(transactionalId, put, either)
      } catch (error) {
        either.throwIfAborted()
        const fault = faultOf(error, `ask the coordinator of ${transactionalId}`)
        const code = protocolCode(fault)
        if (!(fault instanceof Retryable)) throw fault
        if (code === undefined) {
          if (wasAsked && resend === 'never') throw fault
        } else if (coordinatorCodes.has(code)) this.#lines.forget(transactionalId)
        else if (!transientCodes.has(code)) throw fault
        onTrouble?.(fault)
        const backOff = code === concurrentTransactions ? markersBackOff : absenceBackOff
        await this.#clock.sleep(backOffMs(backOff, attempt, this.#clock), either)
      }
    }
  }

  /** Closes the connections; questions under way reject. The sinks were disposed before. */
  [Symbol.dispose](): void {
    this.#closing.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us'))
    this.#lines[Symbol.dispose]()
  }
}
