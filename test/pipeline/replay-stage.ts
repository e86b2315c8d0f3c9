import { setImmediate as turn } from 'node:timers/promises'
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { systemClock } from '../../src/clock.ts'
import { createEncoder } from '../../src/encode/encoder.ts'
import { RecordBlocks } from '../../src/encode/record-block.ts'
import { PoisonEvent } from '../../src/errors.ts'
import type { ChangeBatch, ChangeEvent } from '../../src/event.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { Monitor } from '../../src/pipeline/monitor.ts'
import type { PipelineParts } from '../../src/pipeline/parts.ts'
import { runPipeline } from '../../src/pipeline/run-pipeline.ts'
import { Position } from '../../src/position.ts'
import type { OutRecord, Records } from '../../src/record.ts'
import { outRecord } from '../../src/record-headers.ts'
import type { Sink, TransactionalSink } from '../../src/sink/sink.ts'
import { eventOf, optionsOf, positionAt } from '../encode/events.ts'

/** The first attempt sends these; the sink then says that it does not take this one. */
export const sentAtFirst = 6
const refused = 3
const all = 9

export const events = Array.from({ length: all }, (_, i): ChangeEvent => {
  const _id = i + 1
  return eventOf({ operation: 'insert', documentKey: { _id }, after: { _id }, position: positionAt(1_000 + _id) })
})

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** A pipeline over nine events, whose first attempt fails at the third with the first six sent. */
export class Stage {
  readonly stop = new AbortController()
  readonly lost = new AbortController()
  /** `topic id` of each record, in order, attempts separated by `|`. */
  readonly sent: string[] = []
  attempts = 0
  saved: Checkpoint | undefined
  /** Called before a record is sent; what it returns its acknowledgement waits for. */
  onSend: (record: string) => Promise<unknown> | undefined = () => undefined
  onOpen: () => void = () => {}
  /** What the sink says of the third event. */
  fault: (record: OutRecord) => Error = ({ topic, partition, key, headers }) => {
    const position = headers['m2k.position'] as Buffer
    const record = { topic, partition, keyBytes: key.length, position }
    return new PoisonEvent('SINK_RECORD_TOO_LARGE', 'too large', { record })
  }
  readonly #six = Promise.withResolvers<void>()

  run(others: Partial<PipelineParts> = {}) {
    return runPipeline({ ...this.#parts(), ...others }, this.stop.signal)
  }

  get #isFirst(): boolean {
    return this.attempts === 1
  }

  async *#read(from: Position, signal: AbortSignal): AsyncGenerator<ChangeBatch> {
    for (const event of events.filter(({ position }) => position.compare(from) > 0)) {
      if (signal.aborted) return
      if (this.#isFirst && event === events[sentAtFirst]) break
      yield { events: [event], position: event.position, bytes: 1 }
      await turn()
    }
    await untilAborted(signal).catch(() => undefined)
  }

  async #send(records: Records, signal: AbortSignal): Promise<void> {
    const taken = Array.from({ length: records.count }, (_, i) => outRecord(records, i))
    for (const record of taken) {
      const name = `${record.topic} ${record.key}`
      this.sent.push(name)
      if (name === `shop ${sentAtFirst}`) this.#six.resolve()
      await Promise.race([this.onSend(name), untilAborted(signal).catch(() => undefined)])
      if (name !== `shop ${refused}`) continue
      await this.#six.promise
      throw this.fault(record)
    }
  }

  #open(): Sink & Pick<TransactionalSink, 'commit'> {
    this.attempts += 1
    if (this.attempts > 1) this.sent.push('|')
    this.onOpen()
    const sends: Promise<void>[] = []
    return {
      capabilities: { headers: true, idempotence: true, transactions: true },
      partitions: async () => 1,
      send: (records, signal) => {
        const sent = this.#send(records, signal)
        sends.push(sent)
        return sent
      },
      commit: async () => {
        await Promise.all(sends)
      },
      async [Symbol.asyncDispose]() {},
    }
  }

  #parts(): PipelineParts {
    return {
      ...{ name: 'orders', deployment: 'shop', slot: 0, cluster: 'rs', filterHash: 'none', topic: '{db}' },
      revision: () => 0,
      lease: { confirm: async signal => signal.throwIfAborted(), lost: this.lost.signal },
      delivery: 'at-least-once',
      source: { now: async () => Position.ofTime(1n), read: (from, signal) => this.#read(from, signal) },
      store: {
        load: async () => this.saved,
        save: async checkpoint => {
          this.saved = checkpoint
        },
        async [Symbol.asyncDispose]() {},
      },
      openSink: async signal => {
        const sink = this.#open()
        signal.throwIfAborted()
        return sink
      },
      createEncoder: () => createEncoder({ ...optionsOf(), tombstones: false }, silentMeter, new RecordBlocks()),
      spec: { partitions: 1, replication: 1, config: {} },
      onError: { oversize: 'dead-letter', poison: 'dead-letter', deadLetterTopic: '{topic}.dlq' },
      startAt: undefined,
      saveIntervalMs: 0,
      commitIntervalMs: () => 0,
      limits: { inFlightBytes: 1 << 20, drainMs: 240_000 },
      backOff: { initialMs: 1e9, maxMs: 1e9 },
      monitor: new Monitor('orders', systemClock, silentMeter),
      clock: systemClock,
      log: silentLogger,
      meter: silentMeter,
    }
  }
}
