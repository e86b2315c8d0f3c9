import { BusyMeter, bottleneck, type Doing } from '../busy.ts'
import type { Clock } from '../clock.ts'
import { asFault, type Fault } from '../errors.ts'
import type { Meter } from '../meter.ts'
import type { Position } from '../position.ts'
import type { OplogWindow } from '../source/source.ts'
import type { PipelineState, PipelineStatus } from '../status.ts'
import type { PreparedBatch, Watch } from './pipeline.ts'

const states: readonly PipelineState[] = ['starting', 'running', 'idle', 'retrying', 'paused', 'failed', 'stopped']

/** What one pipeline is doing, for people and metrics. Written by the loop, read by the admin server. */
export class Monitor implements Watch {
  readonly name: string
  readonly #clock: Clock
  readonly #meter: Meter
  readonly #busy: BusyMeter
  readonly #inFlight = new Set<PreparedBatch>()
  #state: PipelineState = 'starting'
  #fault: Fault | undefined
  #durable: { position: Position; savedAtMs: number } | undefined
  #read = false
  /** The furthest batch with records that was handed to the sink, in this attempt or an earlier one. */
  #furthest: Position | undefined
  #window: OplogWindow | undefined
  #inFlightRecords = 0
  #inFlightBytes = 0
  #records = 0

  constructor(name: string, clock: Clock, meter: Meter) {
    this.name = name
    this.#clock = clock
    this.#meter = meter
    this.#busy = new BusyMeter(clock)
    this.enter('starting')
  }

  enter(state: PipelineState, error?: unknown): void {
    this.#state = state
    // A new attempt does not mend anything yet: what ended the last one stays visible until it runs (G8).
    if (error !== undefined) this.#fault = asFault(error)
    else if (state !== 'starting') this.#fault = undefined
    if (state === 'starting' || state === 'retrying' || state === 'failed') this.#forget()
    for (const each of states) {
      this.#meter.gauge('pipeline_state', { pipeline: this.name, state: each }, each === state ? 1 : 0)
    }
  }

  get durablePosition(): Position | undefined {
    return this.#durable?.position
  }

  /** The position that a restart would continue from. */
  durable(position: Position, savedAtMs: number): void {
    this.#durable = { position, savedAtMs }
  }

  /** Whether records were handed to the sink that no saved position covers: the next start would repeat them. */
  get owes(): boolean {
    return !!this.#furthest && !!this.#durable && this.#furthest.compare(this.#durable.position) > 0
  }

  oplogWindow(window: OplogWindow | undefined): void {
    this.#window = window
  }

  doing(doing: Doing): void {
    this.#busy.enter(doing)
  }

  /** The broker made the sink wait for `ms` from now on. */
  throttled(ms: number): void {
    this.#busy.throttle(ms)
  }

  began(batch: PreparedBatch): void {
    this.#inFlight.add(batch)
    if (batch.recordCount > 0) this.#furthest = later(this.#furthest, batch.position)
    this.#inFlightRecords += batch.recordCount
    this.#inFlightBytes += batch.bytes
  }

  delivered(batch: PreparedBatch): void {
    if (!this.#inFlight.delete(batch)) return // Of an attempt that failed meanwhile.
    this.#inFlightRecords -= batch.recordCount
    this.#inFlightBytes -= batch.bytes
    this.#records += batch.recordCount
    this.#read = true
    this.durable(batch.position, this.#clock.nowMs())
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
   * because nothing is read (G8).
   */
  get lagMs(): number | null {
    if (!this.#read || !this.#durable) return null
    let upToMs = this.#durable.position.timeMs
    for (const { oldestMs } of this.#inFlight) {
      if (oldestMs === undefined) continue
      upToMs = oldestMs
      break // Batches are in the order of the stream: the first with events is the oldest.
    }
    return Math.max(0, this.#clock.nowMs() - upToMs)
  }

  get status(): PipelineStatus {
    const fault = this.#fault
    const busy = this.#busy.ratios()
    return {
      name: this.name,
      state: this.#state,
      error: fault ? { code: fault.code, message: fault.message, remedy: fault.remedy } : null,
      lagMs: this.lagMs,
      positionMs: this.#durable?.position.timeMs ?? null,
      checkpointSavedAtMs: this.#durable?.savedAtMs ?? null,
      oplogWindowMs: this.#windowMs ?? null,
      oplogHeadroomMs: this.#headroomMs ?? null,
      inFlightRecords: this.#inFlightRecords,
      inFlightBytes: this.#inFlightBytes,
      records: this.#records,
      busy,
      limitedBy: bottleneck(busy),
      throttledRatio: this.#busy.throttledRatio,
    }
  }

  /** The window was measured some seconds ago: where we have read beyond its newest entry, it is that much longer. */
  get #windowMs(): number | undefined {
    if (!this.#window) return undefined
    return Math.max(this.#window.newestMs, this.#durable?.position.timeMs ?? 0) - this.#window.oldestMs
  }

  /** How far the durable position is from being overwritten, milliseconds. Window minus age of the position. */
  get #headroomMs(): number | undefined {
    return this.#window && this.#durable ? this.#durable.position.timeMs - this.#window.oldestMs : undefined
  }

  /** Writes the gauges; called before they are read and from time to time. */
  report(): void {
    const pipeline = this.name
    const nowMs = this.#clock.nowMs()
    const lagMs = this.lagMs
    this.#meter.gauge('pipeline_lag_seconds', { pipeline }, lagMs === null ? undefined : lagMs / 1000)
    this.#meter.gauge('in_flight_records', { pipeline }, this.#inFlightRecords)
    this.#meter.gauge('in_flight_bytes', { pipeline }, this.#inFlightBytes)
    for (const [stage, ratio] of Object.entries(this.#busy.ratios())) {
      this.#meter.gauge('stage_busy_ratio', { pipeline, stage }, ratio)
    }
    if (this.#durable) {
      this.#meter.gauge('checkpoint_age_seconds', { pipeline }, (nowMs - this.#durable.savedAtMs) / 1000)
    }
    const member = this.#window?.member
    const windowMs = this.#windowMs
    const headroomMs = this.#headroomMs
    if (member === undefined || windowMs === undefined || headroomMs === undefined) return
    this.#meter.gauge('oplog_window_seconds', { member }, windowMs / 1000)
    this.#meter.gauge('oplog_headroom_seconds', { pipeline, member }, headroomMs / 1000)
    this.#meter.gauge('oplog_headroom_ratio', { pipeline, member }, windowMs > 0 ? headroomMs / windowMs : undefined)
  }

  #forget(): void {
    this.#inFlight.clear()
    this.#inFlightRecords = 0
    this.#inFlightBytes = 0
  }
}

function later(one: Position | undefined, other: Position): Position {
  return one && one.compare(other) > 0 ? one : other
}
