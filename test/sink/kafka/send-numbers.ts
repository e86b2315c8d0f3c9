import { Retryable } from '../../../src/errors.ts'
import { packRecords } from '../../../src/record-headers.ts'
import type { KafkaTarget } from '../../../src/sink/kafka/target.ts'
import { never, plain, record, spec } from './fixture.ts'

/**
 * Sends the numbers from 0 to partition 0, one after the other, until `isDone`; with a new sink after each Retryable, as
 * a pipeline does. How many it were.
 */
export async function sendNumbers(
  target: KafkaTarget,
  topic: string,
  isDone: (sent: number) => boolean,
): Promise<number> {
  for (let sent = 0; ; ) {
    try {
      await using sink = await target.open(plain('p'), never)
      await sink.partitions(topic, spec(1), never)
      for (; !isDone(sent); sent += 1) await sink.send(packRecords([record(topic, 0, String(sent))]), never)
      return sent
    } catch (error) {
      if (!(error instanceof Retryable)) throw error
    }
  }
}

/** What `sendNumbers` sends. */
export const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i))
