import { BusyMeter, type BusyRatios, type Doing } from '../busy.ts'
import type { Clock } from '../clock.ts'
import { asFault, type Fault } from '../errors.ts'
import type { Meter } from '../meter.ts'
import type { Position } from '../position.ts'
import type { PipelineState } from '../status.ts'
import { UnderWay } from '../under-way.ts'
import type { PreparedBatch, Watch } from './pipeline.ts'

/** What a pipeline does on one slot, at this moment. */
export interface SlotFigures {
  readonly state: PipelineState
  /** What ended the last attempt, until the next one runs. */
  readonly fault: Fault | undefined
  /** null: not known. */
  readonly lagMs: number | null
  readonly durable: { readonly position: Position; readonly savedAtMs: number } | undefined
  readonly inFlightRecords: number
  readonly inFlightBytes: number
  readonly records: number
  readonly busy: BusyRatios
  readonly throttledRatio: number
}

/** What one pipeline is doing on one slot. Written by its loop, read by the pipeline's monitor. */
export class Monitor implements Watch {
  readonly name: string
  readonly #clock: Clock
  readonly #meter: Meter
  readonly #busy: BusyMeter
  readonly #inFlight = new UnderWay<PreparedBatch>()
  #state: PipelineState = 'starting'
  #fault: Fault | undefined
  #durable: { position: Position; savedAtMs: number } | undefined
  /** Everything up to here is acknowledged; undefined before anything was read. */
  #acknowledged: Position | undefined
  /** The furthest batch with records that was handed to the sink, in this attempt or an earlier one. */
  #furthest: Position | undefined
  #inFlightRecords = 0
  #inFlightBytes = 0
  #records = 0

  constructor(name: string, clock: Clock, meter: Meter) {
    this.name = name
    this.#clock = clock
    this.#meter = meter
    this.#busy = new BusyMeter(clock)
  }

  enter(state: PipelineState, error?: unknown): void {
    this.#state = state
    // A new attempt does not mend anything yet: what ended the last one stays visible until it runs (G8).
    if (error !== undefined) this.#fault = asFault(error)
    else if (state !== 'starting') this.#fault = undefined
    if (state === 'starting' || state === 'retrying' || state === 'failed') this.#forget()
  }

  get durablePosition(): Position | undefined {
    return this.#durable?.position
  }

  /** The position that a restart would continue from, each time one is saved. */
  durable(position: Position, savedAtMs: number): void {
    this.#durable = { position, savedAtMs }
  }

  /** Whether records were handed to the sink that no saved position covers: the next start would repeat them. */
  get owes(): boolean {
    return this.owed !== undefined
  }

  /** The furthest position of such records. */
  get owed(): Position | undefined {
    if (!this.#furthest || !this.#durable) return undefined
    return this.#furthest.compare(this.#durable.position) > 0 ? this.#furthest : undefined
  }

  doing(doing: Doing): void {
    this.#busy.enter(doing)
  }

  /** The broker made the sink wait for `ms` from now on. */
  throttled(ms: number): void {
    this.#busy.throttle(ms)
  }

  began(batch: PreparedBatch): void {
    this.#inFlight.begin(batch)
    if (batch.recordCount > 0) this.#furthest = later(this.#furthest, batch.position)
    this.#inFlightRecords += batch.recordCount
    this.#inFlightBytes += batch.bytes
  }

  delivered(batch: PreparedBatch): void {
    if (!this.#inFlight.end(batch)) return // Of an attempt that failed meanwhile.
    this.#inFlightRecords -= batch.recordCount
    this.#inFlightBytes -= batch.bytes
    this.#records += batch.recordCount
    this.#acknowledged = batch.position
    if (this.#state === 'running' || this.#state === 'idle' || this.#state === 'starting') {
      const state = this.#inFlight.size === 0 && batch.recordCount === 0 ? 'idle' : 'running'
      if (state !== this.#state) this.enter(state)
    }
    const nowMs = this.#clock.nowMs()
    const labels = { pipeline: this.name }
    for (const { timestampMs, count } of batch.times) {
      const seconds = Math.max(0, nowMs - timestampMs) / 1000
      this.#meter.observe('end_to_end_latency_seconds', labels, seconds, count)
    }
    this.#meter.count('records_total', { pipeline: this.name, outcome: 'acknowledged' }, batch.recordCount)
  }

  /**
   * Now minus the time up to which everything is acknowledged: the high-water mark when nothing is in flight, else
   * just before the oldest unacknowledged event. null before anything was read, so that lag is never reported small
   * because nothing is read (G8). It goes on growing while nothing runs.
   */
  get lagMs(): number | null {
    if (!this.#acknowledged) return null
    let upToMs = later(this.#durable?.position, this.#acknowledged).timeMs
    for (const { oldestMs } of this.#inFlight) {
      if (oldestMs === undefined) continue
      upToMs = oldestMs
      break // Batches are in the order of the stream: the first with events is the oldest.
    }
    return Math.max(0, this.#clock.nowMs() - upToMs)
  }

  get figures(): SlotFigures {
    return {
      state: this.#state,
      fault: this.#fault,
      lagMs: this.lagMs,
      durable: this.#durable,
      inFlightRecords: this.#inFlightRecords,
      inFlightBytes: this.#inFlightBytes,
      records: this.#records,
      busy: this.#busy.ratios(),
      throttledRatio: this.#busy.throttledRatio,
    }
  }

  #forget(): void {
    this.#inFlight.endAll()
    this.#inFlightRecords = 0
    this.#inFlightBytes = 0
  }
}

function later(one: Position | undefined, other: Position): Position {
  return one && one.compare(other) > 0 ? one : other
}
