import { BSON, MongoClient, Timestamp } from 'mongodb'
import type { Clock } from '../../src/clock.ts'
import { type Fault, Retryable } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { Position } from '../../src/position.ts'
import { EnvelopeReader } from '../../src/source/envelope.ts'
import { Hub } from '../../src/source/hub.ts'
import { Lookup } from '../../src/source/lookup.ts'
import { compileMatcher } from '../../src/source/match.ts'
import { PipelineSource } from '../../src/source/pipeline-source.ts'
import type { Opening } from '../../src/source/plan.ts'
import type { RawEvent } from '../../src/source/raw-event.ts'
import type { RawBatch } from '../../src/source/reader.ts'
import type { Selection, Slot } from '../../src/source/source.ts'
import { selection } from './lab.ts'

export const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

const envelopes = new EnvelopeReader()

/** The event of second `time`, whose document's id is that. */
export function eventAt(time: number, collection: string): RawEvent {
  const _data = `82${time.toString(16).padStart(8, '0')}000000012B022C0100296E04`
  const clusterTime = new Timestamp({ t: time, i: 1 })
  const ns = { db: 'd', coll: collection }
  const event = { _id: { _data }, operationType: 'insert', clusterTime, ns, documentKey: { _id: time } }
  const bytes = Buffer.from(BSON.serialize(event))
  return envelopes.read(bytes, 0, bytes.length)
}

/** Behind the event of second `time`, before the next. */
export const behind = (time: number): Position => Position.ofTime((BigInt(time) << 32n) + 2n)

/** Waits this long never end: nobody is found to be stalled. */
const waitsForEverMs = 1_000
/** Every batch takes so long that a pipeline without events hears of its position every fifth time. */
const batchMs = 100

/** A MongoDB whose history has one event a second, and the hub that reads it. */
export class World {
  /** By second, from 1. */
  readonly history: RawEvent[] = []
  readonly openings: { readonly opening: Opening; readonly from: Position }[] = []
  #alive = 0
  mostAlive = 0
  /** The next streams to open fail with these. */
  readonly faults: Fault[] = []
  readonly #broken = new Set<AbortController>()
  readonly hub: Hub
  readonly #batch: number
  nowMs = 0
  /** Short waits are over after a few turns. */
  readonly #clock: Clock = {
    nowMs: () => this.nowMs,
    random: () => 0.5,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
        if (signal?.aborted) reject(signal.reason)
        else if (ms < waitsForEverMs) void turns(3).then(resolve)
      }),
  }

  /** `narrows`: the stream is narrow, where that is possible at all, half of the time. */
  constructor(batchEvents = 7, narrows = false) {
    this.#batch = batchEvents
    const share = narrows ? 2 : 0
    const reach = { windowMs: 1_000, foreignPerSecond: 0, share, narrowMs: 1_000, maxNarrowMs: 1_000 }
    const open = (opening: Opening) => ({
      read: (from: Position, signal: AbortSignal) => this.#read(opening, from, signal),
    })
    this.hub = new Hub({ clock: this.#clock, log: silentLogger, open, reach, gatherMs: 50, stallMs: 10_000 })
  }

  get head(): Position {
    return behind(this.history.length)
  }

  write(...collections: readonly string[]): void {
    for (const collection of collections) this.history.push(eventAt(this.history.length + 1, collection))
  }

  /** Every stream that is open ends with an error that a retry mends. */
  breakStreams(): void {
    for (const one of this.#broken) one.abort()
  }

  /** The seconds of what a pipeline is to get behind `from`. */
  expected(matches: (collection: string) => boolean, slot: (event: RawEvent) => boolean, from: Position): number[] {
    return this.history
      .filter(event => matches(event.collection) && slot(event) && event.position.compare(from) > 0)
      .map(event => event.timestampMs / 1_000)
  }

  async *#read(opening: Opening, from: Position, signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
    const fault = this.faults.shift()
    if (fault) throw fault
    this.openings.push({ opening, from })
    this.mostAlive = Math.max(this.mostAlive, ++this.#alive)
    const broken = new AbortController()
    this.#broken.add(broken)
    let position = from
    try {
      for (;;) {
        await turns(1)
        if (signal.aborted) return
        if (broken.signal.aborted) throw new Retryable('SOURCE_NETWORK', 'the connection broke')
        const first = Number(position.clusterTime >> 32n)
        const part = this.history.slice(first, first + this.#batch)
        this.nowMs += batchMs
        position = part.at(-1)?.position ?? (this.head.compare(position) > 0 ? this.head : position)
        yield { events: part.filter(event => brings(opening, event)), position, bytes: 0, more: part.length > 0 }
        if (part.length === 0) await turns(2) // The server waits for something to happen.
      }
    } finally {
      this.#alive--
      this.#broken.delete(broken)
    }
  }

  source(pipeline: string, collections: readonly string[], slot: Slot, rest: Partial<Selection> = {}): PipelineSource {
    return new PipelineSource({
      selection: { ...selection(pipeline, collections, rest), slot },
      matches: compileMatcher(collections),
      hub: this.hub,
      lookup: new Lookup({
        client: new MongoClient('mongodb://127.0.0.1:1'),
        clock: this.#clock,
        meter: silentMeter,
        deadlineMs: 1,
      }),
      now: async () => this.head,
      check: async () => undefined,
    })
  }
}

/** What MongoDB would let through; the pipelines' own filters are `{ only: COLLECTION }`. */
function brings({ scope, filter }: Opening, { collection }: RawEvent): boolean {
  if (scope.collection !== undefined && scope.collection !== collection) return false
  if (filter === undefined) return true
  if ('only' in filter) return filter.only === collection
  const { $in: some } = filter.ns as { readonly $in: readonly { readonly coll?: string }[] }
  return some.some(({ coll }) => coll === collection)
}

/** One pipeline on one slot that is started and stopped, and goes on where it was. */
export class Consumer {
  readonly got: number[] = []
  readonly faults: unknown[] = []
  position: Position
  /** Takes nothing while it is not resolved. */
  gate: Promise<void> = Promise.resolve()
  readonly #source: PipelineSource
  #stop: AbortController | undefined
  #reading: Promise<void> = Promise.resolve()

  constructor(source: PipelineSource, position: Position) {
    this.#source = source
    this.position = position
  }

  get running(): boolean {
    return this.#stop !== undefined
  }

  start(): void {
    if (this.#stop) return
    const stop = new AbortController()
    this.#stop = stop
    this.#reading = this.#read(stop.signal)
  }

  async stop(): Promise<void> {
    this.#stop?.abort()
    this.#stop = undefined
    await this.#reading
  }

  async #read(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const batch of this.#source.read(this.position, signal)) {
          if (signal.aborted) return
          this.got.push(...batch.events.map(({ timestampMs }) => timestampMs / 1_000))
          this.position = batch.position
          await this.gate
        }
      } catch (error) {
        this.faults.push(error)
        if (!(error instanceof Retryable)) return
        await turns(2)
      }
    }
  }
}
