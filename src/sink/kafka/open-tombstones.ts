import { PoisonEvent } from '../../errors.ts'
import type { OutRecord } from '../../record.ts'
import { UnderWay } from '../../under-way.ts'
import { digestOf } from './producer/refusals.ts'

interface Tombstone {
  readonly topic: string
  readonly partition: number
  readonly key: Buffer
  readonly position: Buffer
}

/**
 * The positions of tombstones that are under way to a target without headers. A null value has no room for its own, so
 * when one is refused, what was sent does not say which event it was of: its place and its key do. Of two with one key
 * the first is named: what is wrong with one is wrong with the other, and it comes first in the replay too.
 */
export class OpenTombstones {
  /** In the order in which they were sent. */
  readonly #sends = new UnderWay<readonly Tombstone[]>()

  /** `records` are being sent; to be given to `settled` when that has ended. */
  sending(records: readonly OutRecord[]): readonly Tombstone[] {
    const tombstones: Tombstone[] = []
    for (const { topic, partition, key, value, headers } of records) {
      const position = headers['m2k.position']
      if (value === null && Buffer.isBuffer(position)) tombstones.push({ topic, partition, key, position })
    }
    if (tombstones.length > 0) this.#sends.begin(tombstones)
    return tombstones
  }

  settled(tombstones: readonly Tombstone[]): void {
    this.#sends.end(tombstones)
  }

  /** `error`, with the position of the record that it is about where only we know it. */
  named(error: unknown): unknown {
    if (!(error instanceof PoisonEvent) || error.record === undefined || error.record.position) return error
    const { record } = error
    for (const tombstones of this.#sends) {
      const found = tombstones.find(({ topic, partition, key }) => {
        if (topic !== record.topic || partition !== record.partition || key.length !== record.keyBytes) return false
        return digestOf(key) === record.keyDigest
      })
      if (found === undefined) continue
      const options = { record: { ...record, position: found.position }, cause: error.cause }
      return new PoisonEvent(error.code, error.message, options)
    }
    return error
  }
}
