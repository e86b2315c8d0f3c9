import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import type { PartitionQueue } from '../../../../src/sink/kafka/producer/partition-queue.ts'

interface Mutant {
  readonly find: string
  readonly replace: string
}

/** Queues with one line each that is wrong. The simulation must catch every one of them, or it proves nothing. */
export const mutants: Readonly<Record<string, Mutant>> = {
  'rewinds without waiting for the answers that are still to come': {
    find: "if (this.#phase !== 'rewinding' || this.#inFlight > 0) return false",
    replace: "if (this.#phase !== 'rewinding') return false; this.#inFlight = 0",
  },
  'numbers a batch again when it is sent again': {
    find: "if (batch.state === 'failed') batch.state = 'sealed'",
    replace: "if (batch.state === 'failed') batch.state = 'closed'",
  },
  'sends the later batches again without the one that failed first': {
    find: "    this.#phase = 'flowing'\n    this.#confirmed = false",
    replace: "    this.#batches.shift()\n    this.#phase = 'flowing'\n    this.#confirmed = false",
  },
  'goes on behind a batch that failed': {
    find: "    batch.state = 'failed'\n    this.#phase = 'rewinding'",
    replace: "    batch.state = 'sealed'\n    this.#batches.push(...this.#batches.splice(index, 1))",
  },
  'takes a gap in the sequence for a duplicate': {
    find: "if (meaning === 'acknowledged') {",
    replace: "if (meaning === 'acknowledged' || meaning === 'out-of-order') {",
  },
  'sends several batches to a broker that does not know the producer yet': {
    find: '(this.#confirmed ? maxInFlight : 1)',
    replace: 'maxInFlight',
  },
  'ends at a gap that is the consequence of an earlier failure': {
    find: "if (index === 0 && (meaning === 'fatal'",
    replace: "if ((meaning === 'fatal'",
  },
  'does not wrap the sequence number': {
    find: '(sequence + count) & 0x7fffffff',
    replace: '(sequence + count)',
  },
}

const path = new URL('../../../../src/sink/kafka/producer/partition-queue.ts', import.meta.url)

/** The class as it stands in src, with that one change. */
export function mutate({ find, replace }: Mutant): typeof PartitionQueue {
  const source = readFileSync(path, 'utf8')
  if (!source.includes(find)) throw new Error(`partition-queue.ts has no such line any more: ${find}`)
  const text = stripTypeScriptTypes(source.replace(find, () => replace)).replaceAll(/^export /gm, '')
  return new Function(`${text.replaceAll(/^import .*$/gm, '')}\nreturn PartitionQueue`)()
}
