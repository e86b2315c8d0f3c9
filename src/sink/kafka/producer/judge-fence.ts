import { withDeadline } from '../../../deadline.ts'
import { type Fault, Fenced, Retryable } from '../../../errors.ts'
import type { TransactionDescription } from '../wire.ts'
import type { ProducerParts } from './producer-parts.ts'

/** For the answer: a pipeline that has lost its slot waits for it before it says so. */
const answerLimitMs = 5_000
const aborted: ReadonlySet<string> = new Set(['PrepareAbort', 'CompleteAbort'])

/**
 * What it means that an identity was refused whose transaction the coordinator had had for longer than its timeout,
 * as after a stop of the process: Retryable where the coordinator itself has ended that transaction, and nobody came
 * after us; otherwise, or where there is no answer, `fence`.
 *
 * Both refuse us alike, but differ in the epoch: to end a transaction raises it by one, and whoever finds one open and
 * takes over gets the epoch after that (Kafka's TransactionCoordinator, prepareFenceProducerEpoch and
 * prepareIncrementProducerEpoch). So only where the coordinator had our transaction does the epoch say it. A successor
 * that is between the two is taken for none, and fenced by ours.
 *
 * InitProducerId with the epoch that we have (KIP-360) is not asked: it aborts an open transaction before it compares
 * the epoch, that of a successor too.
 */
export async function judgeFence(fence: Fenced, openMs: number, parts: ProducerParts): Promise<Fault> {
  const { identity, transactionalId, transactions, clock } = parts
  if (transactions === undefined || transactionalId === undefined) return fence
  const giveUp = new AbortController()
  const { coordinators, timeoutMs } = transactions
  const question = coordinators.ask(
    transactionalId,
    to => to.describeTransaction(transactionalId),
    'after-no-answer',
    giveUp.signal,
  )
  const late = () => new Retryable('SINK_UNAVAILABLE', `no answer within ${answerLimitMs} ms`)
  let found: TransactionDescription | undefined
  try {
    found = await withDeadline(question, { limitMs: answerLimitMs, late, clock, onEnd: error => giveUp.abort(error) })
  } catch {
    return fence // It may be a successor: it is for a person to see to that.
  }
  if (found === undefined) return fence
  const { producerId, producerEpoch, state } = found
  if (producerId === identity.producerId && producerEpoch === identity.producerEpoch + 1 && aborted.has(state)) {
    const which = `a transaction of ${transactionalId} that was open for ${openMs} ms, and may be for ${timeoutMs} ms`
    const message = `Kafka has ended ${which}: the process was stopped or too busy`
    return new Retryable('SINK_UNAVAILABLE', message, { cause: fence.cause })
  }
  const message = `another instance has taken over ${transactionalId}`
  return new Fenced('SINK_FENCED', message, { cause: fence.cause })
}
