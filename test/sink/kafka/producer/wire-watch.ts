import { maxInFlight } from '../../../../src/sink/kafka/producer/partition-queue.ts'
import type { ProduceBatch } from '../../../../src/sink/kafka/wire.ts'
import { readBatch } from './batch-reader.ts'

/** Sees every produce request on its way, and notes what no broker would complain of and yet is wrong. */
export class WireWatch {
  readonly #violations: string[]
  readonly #firstBytes = new Map<string, Buffer>()
  readonly #openBatches = new Map<string, number>()
  readonly #rejected = new Set<string>()
  /** Requests so far. */
  produced = 0

  constructor(violations: string[]) {
    this.#violations = violations
  }

  /** Checks a request when it is handed over. */
  sent(batches: readonly ProduceBatch[], transactionalId: string | undefined): void {
    this.produced += 1
    const names = new Set(batches.map(({ topic, partition }) => `${topic}/${partition}`))
    if (names.size < batches.length) this.#violations.push('a partition twice in one request')
    const read = batches.map(({ bytes }) => readBatch(bytes))
    if (read.some(({ isTransactional }) => isTransactional !== (transactionalId !== undefined))) {
      this.#violations.push('a request with and without a transaction')
    }
    if (transactionalId !== undefined && new Set(read.map(({ producerId }) => producerId)).size > 1) {
      this.#violations.push('several transactions in one request')
    }
    for (const batch of batches) this.#checkBatch(batch)
  }

  /** A caller heard that this producer failed, and may replay: nothing of it may be on the way any more. */
  rejected(producerId: bigint, producerEpoch = 0): void {
    const who = `${producerId}.${producerEpoch}`
    this.#rejected.add(who)
    for (const [lane, open] of this.#openBatches) {
      if (open > 0 && lane.startsWith(`${who} `)) this.#violations.push(`${lane}: rejected with ${open} in flight`)
    }
  }

  settled(batches: readonly ProduceBatch[], copies: readonly Buffer[]): void {
    for (const [i, batch] of batches.entries()) {
      const lane = laneOf(batch, copies[i] ?? Buffer.alloc(0))
      this.#openBatches.set(lane, (this.#openBatches.get(lane) ?? 0) - 1)
    }
  }

  #checkBatch(batch: ProduceBatch): void {
    const lane = laneOf(batch, batch.bytes)
    if (this.#rejected.has(lane.split(' ')[0] ?? '')) {
      this.#violations.push(`${lane}: sent after its caller heard of a failure`)
    }
    const open = (this.#openBatches.get(lane) ?? 0) + 1
    this.#openBatches.set(lane, open)
    if (open > maxInFlight) this.#violations.push(`${open} batches of ${lane} in flight`)
    const name = `${lane} ${readBatch(batch.bytes).baseSequence}`
    const first = this.#firstBytes.get(name)
    if (first === undefined) this.#firstBytes.set(name, Buffer.from(batch.bytes))
    else if (!first.equals(batch.bytes)) this.#violations.push(`${name}: sent again with other bytes`)
  }
}

function laneOf({ topic, partition }: ProduceBatch, bytes: Buffer): string {
  const { producerId, producerEpoch } = readBatch(bytes)
  return `${producerId}.${producerEpoch} ${topic}/${partition}`
}
