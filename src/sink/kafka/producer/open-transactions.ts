import type { Fault } from '../../../errors.ts'
import type { ProducerParts } from './producer-parts.ts'
import { Transactions } from './transactions.ts'

/** The transactions of a producer; undefined where it has none. `fail` and `giveUp` as in TransactionsParts. */
export function openTransactions(
  parts: ProducerParts,
  fail: (fault: Fault) => void,
  giveUp: (fault: Fault) => void,
): Transactions | undefined {
  const { identity, transactionalId, transactions, dispatcher, clock } = parts
  if (transactions === undefined || transactionalId === undefined) return undefined
  const create = parts.createTransactions ?? (parts => new Transactions(parts))
  return create({
    identity: { ...identity, transactionalId },
    coordinators: transactions.coordinators,
    transactionTimeoutMs: transactions.timeoutMs,
    clock,
    offer: lane => dispatcher.offer(lane),
    fail,
    giveUp,
  })
}
