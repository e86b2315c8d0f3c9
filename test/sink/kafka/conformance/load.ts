import { setTimeout as sleep } from 'node:timers/promises'
import { Retryable } from '../../../../src/errors.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import type { Sink } from '../../../../src/sink/sink.ts'
import { never, record } from '../fixture.ts'
import { until } from './until.ts'

export const partitions = 12
const keys = 48
const callRecords = 50
/** Between calls: enough to keep every partition busy, and little enough for two cores and all brokers. */
const pauseMs = 100
/** Calls that may be unacknowledged: twenty seconds' worth, several batches of each partition. */
const openLimit = 200
/** Between sinks, as the pipeline's back-off would be. */
const restMs = 500

/** Replicas and in-sync replicas as the cluster's defaults say. */
export const spec = { partitions, replication: undefined, config: {} }

/** Where a record stands and whose it is, as the judge's key. */
export function placeOf(topic: string, partition: number, key: string): string {
  return `${topic}/${partition}/${key}`
}

/**
 * One pipeline that sends records as long as it is let, numbered for each key. Where its sink ends with a Retryable
 * it makes a new one and replays from the first call that was not acknowledged, as the loop in src/pipeline would.
 */
export class Load {
  readonly pipeline: string
  readonly #topics: readonly string[]
  readonly #open: () => Promise<Sink>
  /** Why sinks ended, one line each. */
  readonly ends: string[] = []
  #failure: unknown
  /** Calls made so far, each counted once. */
  #made = 0
  /** Calls before this one are acknowledged. */
  #durable = 0
  readonly #acknowledged = new Set<number>()

  constructor(pipeline: string, topics: readonly string[], open: () => Promise<Sink>) {
    this.pipeline = pipeline
    this.#topics = topics
    this.#open = open
  }

  /** Sends until `stop` aborts, and then until all it has sent is acknowledged. */
  async run(stop: AbortSignal): Promise<void> {
    try {
      while (!stop.aborted || this.#durable < this.#made) await this.#runSink(stop)
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** Waits until a call is acknowledged that was made after this one: every partition takes records again. */
  async progress(): Promise<void> {
    const from = this.#made
    await until(
      () => {
        if (this.#failure !== undefined) throw this.#failure
        return this.#durable > from
      },
      `${this.pipeline} acknowledges a call after ${from}; ends: ${this.ends.join('; ')}`,
    )
  }

  /** How many records each key has been sent, by `placeOf`. */
  get expected(): Map<string, number> {
    const expected = new Map<string, number>()
    for (let call = 0; call < this.#made; call++) {
      for (const { topic, partition, key } of this.#records(call)) {
        const place = placeOf(topic, partition, String(key))
        expected.set(place, (expected.get(place) ?? 0) + 1)
      }
    }
    return expected
  }

  async #runSink(stop: AbortSignal): Promise<void> {
    try {
      await using sink = await this.#open()
      for (const topic of this.#topics) await sink.partitions(topic, spec, never)
      const failure = await this.#send(sink, stop)
      if (failure === undefined) return
      if (!(failure instanceof Retryable)) throw failure
      this.ends.push(failure.message)
    } catch (error) {
      if (!(error instanceof Retryable)) throw error // Else no broker was there to open it: no end of a sink.
    }
    await sleep(restMs)
  }

  /** Settles when nothing is outstanding; with the first error of the sink. */
  async #send(sink: Sink, stop: AbortSignal): Promise<unknown> {
    let failure: unknown
    const open = new Set<Promise<void>>()
    for (let call = this.#durable; failure === undefined && (call < this.#made || !stop.aborted); call++) {
      const isReplay = call < this.#made
      this.#made = Math.max(this.#made, call + 1)
      const records = packRecords(this.#records(call))
      const sent: Promise<void> = sink.send(records, never).then(
        () => this.#acknowledge(call),
        (error: unknown) => {
          failure ??= error
        },
      )
      records.bytes.fill(0) // The sink has taken what it needs: the memory is used again.
      records.partitions.fill(-1)
      open.add(sent)
      void sent.then(() => open.delete(sent))
      while (open.size >= openLimit) await Promise.race(open)
      if (!isReplay) await sleep(pauseMs)
    }
    await Promise.all(open)
    return failure
  }

  #acknowledge(call: number): void {
    this.#acknowledged.add(call)
    while (this.#acknowledged.delete(this.#durable)) this.#durable += 1
  }

  #records(call: number) {
    return Array.from({ length: callRecords }, (_, i) => {
      const n = call * callRecords + i
      const key = n % keys
      const topic = this.#topics[key % this.#topics.length]!
      const partition = Math.floor(key / this.#topics.length) % partitions
      const value = String(Math.floor(n / keys)).padEnd(150, '.')
      // Of today: a broker that restarts forgets producers by the time of their records (producer.id.expiration.ms).
      return { ...record(topic, partition, value, `${this.pipeline}-${key}`), timestampMs: Date.now() }
    })
  }
}
