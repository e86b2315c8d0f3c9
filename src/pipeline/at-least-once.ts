import type { Sink } from '../sink/sink.ts'
import type { Delivery, PreparedBatch } from './pipeline.ts'
import type { Saver } from './saver.ts'

/**
 * At-least-once: a position is saved only after its own records and those of every earlier call are acknowledged, so
 * the checkpoint may lag the output, never lead it (G1).
 */
export class AtLeastOnce implements Delivery {
  readonly #sink: Pick<Sink, 'send'>
  readonly #saver: Pick<Saver, 'save' | 'usePartitions'>
  #acknowledged: Promise<void> = Promise.resolve()

  constructor(sink: Pick<Sink, 'send'>, saver: Pick<Saver, 'save' | 'usePartitions'>) {
    this.#sink = sink
    this.#saver = saver
  }

  async deliver(batch: PreparedBatch, signal: AbortSignal): Promise<void> {
    const sent = batch.recordCount > 0 ? this.#sink.send(batch.records, signal) : Promise.resolve()
    const acknowledged = inOrder(this.#acknowledged, sent)
    this.#acknowledged = acknowledged
    await acknowledged
    await this.#saver.save(batch.position)
  }

  /** A save before the first record: a crash after the record would forget the count, and the topic may grow. */
  usePartitions(topic: string, count: number): Promise<void> {
    return this.#saver.usePartitions(topic, count)
  }
}

/**
 * Both must have settled, also when the first fails: a write still open would land inside the replay. (A version
 * that returned on the first failure was caught by the simulation.) The earlier error surfaces first.
 */
async function inOrder(earlier: Promise<void>, own: Promise<void>): Promise<void> {
  own.catch(looked) // It is looked at below; until then its failure is nobody's.
  try {
    await earlier
  } catch (error) {
    await own.catch(looked)
    throw error
  }
  await own
}

function looked(): void {}
