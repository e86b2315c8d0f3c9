import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { Retryable } from '../../../../src/errors.ts'
import { faultOf } from '../../../../src/sink/kafka/classify.ts'
import { Alarm } from '../../../../src/sink/kafka/producer/alarm.ts'
import { Transaction } from '../../../../src/sink/kafka/producer/transaction.ts'
import type { Transactions } from '../../../../src/sink/kafka/producer/transactions.ts'

interface Mutant {
  readonly find: string
  readonly replace: string
  /** Only connections that break show it. */
  readonly breaks?: boolean
}

/** Transactions with one line each that is wrong. The simulation must catch every one of them, or it proves nothing. */
export const mutants: Readonly<Record<string, Mutant>> = {
  'send to a partition before it is added': {
    find: 'batch.transaction === present && present.added.has(lane)',
    replace: 'batch.transaction === present',
  },
  'take the partition of the next commit for added': {
    find: 'present.added.has(lane)',
    replace: '(present.added.has(lane) || this.#commitLanes.has(lane))',
  },
  'send the records of the next transaction before this one has ended': {
    find: 'batch.transaction === present && present.added.has(lane)',
    replace: 'present.added.has(lane)',
  },
  'end before the last acknowledgement': {
    find: 'onCommitted === undefined || openBatches > 0 ||',
    replace: 'onCommitted === undefined ||',
  },
  'leave the last batch open for records of the next transaction': {
    find: '      lane.queue.close(open) // What comes now belongs to the next transaction.\n',
    replace: '',
  },
  'count what comes after a commit to the transaction that it ends': {
    find: 'const filling = this.#queue.at(-1)!',
    replace: 'const filling = this.#queue[0]',
  },
  'say that it is committed when EndTxn is sent': {
    find: '        this.#isEnding = true\n',
    replace: '        this.#isEnding = true\n        onCommitted()\n',
  },
  'send EndTxn again when no answer came, and go on': {
    find: "to.endTransaction(identity, 'commit'), 'never'",
    replace: "to.endTransaction(identity, 'commit'), 'after-no-answer'",
    breaks: true,
  },
  'take an unknown outcome for a commit': {
    find: "if (!this.#ended.signal.aborted) fail(faultOf(error, 'commit a transaction'))\n      return",
    replace: 'if (this.#ended.signal.aborted) return',
  },
  'abort although batches may still arrive': {
    find: ' || this.#isDoubtful) return',
    replace: ') return',
  },
}

const path = new URL('../../../../src/sink/kafka/producer/transactions.ts', import.meta.url)
const imported = { Alarm, Retryable, Transaction, faultOf }

/** The class as it stands in src, with that one change. */
export function mutate({ find, replace }: Mutant): typeof Transactions {
  const source = readFileSync(path, 'utf8')
  if (!source.includes(find)) throw new Error(`transactions.ts has no such line any more: ${find}`)
  const text = stripTypeScriptTypes(source.replace(find, () => replace)).replaceAll(/^export /gm, '')
  const body = `${text.replaceAll(/^import [^;]*? from .*$/gm, '')}\nreturn Transactions`
  return new Function(...Object.keys(imported), body)(...Object.values(imported))
}
