import { type BusyRatios, bottleneck, busiest } from '../busy.ts'
import { type Clock, steady } from '../clock.ts'
import type { Meter } from '../meter.ts'
import type { OplogWindow } from '../source/source.ts'
import type { PipelineState, PipelineStatus } from '../status.ts'
import { Monitor, type SlotFigures } from './monitor.ts'

/** From the worst to the best: what the worst slot does is what the pipeline does. */
const byUrgency = [
  'failed',
  'retrying',
  'starting',
  'stopped',
  'paused',
  'running',
  'idle',
  'standby',
] as const satisfies readonly PipelineState[]
const stages = ['source', 'encode', 'sink'] as const

/** The window is measured every ten seconds; once this long after the last time, MongoDB cannot be read. */
const windowStaleMs = 30_000

export interface PipelineMonitorOptions {
  readonly name: string
  /** The state of a pipeline that has no slot on this worker: it is still starting, a standby, or has stopped. */
  readonly unowned: () => PipelineState
  readonly clock: Clock
  readonly meter: Meter
}

/**
 * One pipeline on this worker, put together from its slots; no figure has a slot of its own. The state is that of the
 * worst slot, the lag the largest, the durable position the earliest; what is in flight and delivered is added up; the
 * busy ratios are those of the busiest slot, since that is the one that limits. What one owned slot does not know yet
 * is not known at all (G8), and a worker without slots of the pipeline exports nothing but its state.
 */
export class PipelineMonitor {
  readonly name: string
  /** Stopped by a user, and drained. */
  paused = false
  readonly #options: PipelineMonitorOptions
  readonly #slots = new Map<number, Monitor>()
  #window: OplogWindow | undefined
  /** By the steady clock. */
  #windowMeasuredMs = 0
  readonly #clock: Clock
  /** Delivered on slots that were given back. */
  #formerRecords = 0
  /** The member that the series of the oplog are labelled with. */
  #reportedMember: string | undefined

  constructor(options: PipelineMonitorOptions) {
    this.#options = options
    this.#clock = steady(options.clock)
    this.name = options.name
  }

  /** The monitor of an owned slot, the same one until `close`. */
  open(slot: number): Monitor {
    const { clock, meter } = this.#options
    const monitor = this.#slots.get(slot) ?? new Monitor(this.name, clock, meter)
    this.#slots.set(slot, monitor)
    return monitor
  }

  /** The slot is no longer ours. */
  close(slot: number): void {
    this.#formerRecords += this.#slots.get(slot)?.figures.records ?? 0
    this.#slots.delete(slot)
  }

  oplogWindow(window: OplogWindow | undefined): void {
    this.#window = window
    this.#windowMeasuredMs = this.#clock.nowMs()
  }

  /** The broker made the pipeline wait for `ms` from now on; it does not say for which slot. */
  throttled(ms: number): void {
    for (const monitor of this.#slots.values()) monitor.throttled(ms)
  }

  /** Of its busiest slot. */
  get busy(): BusyRatios {
    return busiest([...this.#slots.values()].map(({ figures }) => figures.busy))
  }

  get status(): PipelineStatus {
    const slots = [...this.#slots].map(([slot, monitor]) => ({ slot, ...monitor.figures }))
    const worst = slots.toSorted((a, b) => urgency(a) - urgency(b))[0]
    const state = this.paused ? 'paused' : (worst?.state ?? this.#options.unowned())
    const durable = earliest(slots)
    const busy = busiest(slots.map(figures => figures.busy))
    const sum = (key: 'inFlightRecords' | 'inFlightBytes' | 'records') =>
      slots.reduce((total, figures) => total + figures[key], 0)
    return {
      name: this.name,
      state,
      error: this.paused ? null : errorOf(worst, slots.length),
      lagMs: largestLagMs(slots),
      positionMs: durable?.positionMs ?? null,
      checkpointSavedAtMs: durable?.savedAtMs ?? null,
      ...this.#oplog(durable?.positionMs),
      inFlightRecords: sum('inFlightRecords'),
      inFlightBytes: sum('inFlightBytes'),
      records: this.#formerRecords + sum('records'),
      busy,
      limitedBy: bottleneck(busy),
      throttledRatio: Math.max(0, ...slots.map(({ throttledRatio }) => throttledRatio)),
    }
  }

  /**
   * The window was measured some seconds ago: where we have read beyond its newest entry, it is that much longer. The
   * headroom is how far the durable position is from being overwritten: window minus age of the position. While MongoDB
   * cannot be read, others may still write to it: the window is taken to keep its length and to move on with the clock,
   * so that the headroom shrinks, and whoever is to be warned is warned in time (G10).
   */
  #oplog(positionMs: number | undefined): { oplogWindowMs: number | null; oplogHeadroomMs: number | null } {
    if (!this.#window) return { oplogWindowMs: null, oplogHeadroomMs: null }
    const ageMs = this.#clock.nowMs() - this.#windowMeasuredMs
    const movedMs = ageMs > windowStaleMs ? ageMs : 0
    const oldestMs = this.#window.oldestMs + movedMs
    const newestMs = this.#window.newestMs + movedMs
    return {
      oplogWindowMs: Math.max(newestMs, positionMs ?? 0) - oldestMs,
      oplogHeadroomMs: positionMs === undefined ? null : positionMs - oldestMs,
    }
  }

  /** Writes the gauges; called before they are read and from time to time. */
  report(): void {
    const { clock, meter } = this.#options
    const pipeline = this.name
    const status = this.status
    const owned = this.#slots.size > 0
    const known = (value: number | null): number | undefined => (owned && value !== null ? value : undefined)
    const { lagMs, checkpointSavedAtMs: savedAtMs } = status
    for (const state of byUrgency) meter.gauge('pipeline_state', { pipeline, state }, state === status.state ? 1 : 0)
    meter.gauge('pipeline_lag_seconds', { pipeline }, known(lagMs === null ? null : lagMs / 1000))
    meter.gauge('in_flight_records', { pipeline }, known(status.inFlightRecords))
    meter.gauge('in_flight_bytes', { pipeline }, known(status.inFlightBytes))
    for (const stage of stages) meter.gauge('stage_busy_ratio', { pipeline, stage }, known(status.busy[stage]))
    const ageMs = savedAtMs === null ? null : clock.nowMs() - savedAtMs
    meter.gauge('checkpoint_age_seconds', { pipeline }, known(ageMs === null ? null : ageMs / 1000))
    this.#reportOplog(status)
  }

  #reportOplog({ oplogWindowMs: windowMs, oplogHeadroomMs: headroomMs }: PipelineStatus): void {
    const { meter } = this.#options
    const pipeline = this.name
    const member = this.#window?.member
    if (this.#reportedMember !== undefined && this.#reportedMember !== member) this.#retireOplog()
    if (member === undefined || windowMs === null || headroomMs === null) {
      this.#retireOplog()
      return
    }
    this.#reportedMember = member
    meter.gauge('oplog_window_seconds', { member }, windowMs / 1000)
    meter.gauge('oplog_headroom_seconds', { pipeline, member }, headroomMs / 1000)
    meter.gauge('oplog_headroom_ratio', { pipeline, member }, windowMs > 0 ? headroomMs / windowMs : undefined)
  }

  /** A member that is no longer read from, or a position that is no longer ours, must not keep its last figure. */
  #retireOplog(): void {
    const member = this.#reportedMember
    if (member === undefined) return
    const { meter } = this.#options
    const pipeline = this.name
    meter.gauge('oplog_window_seconds', { member }, undefined)
    meter.gauge('oplog_headroom_seconds', { pipeline, member }, undefined)
    meter.gauge('oplog_headroom_ratio', { pipeline, member }, undefined)
    this.#reportedMember = undefined
  }

  /** Removes every gauge: the pipeline is gone from the configuration. */
  retire(): void {
    const { meter } = this.#options
    const pipeline = this.name
    for (const state of byUrgency) meter.gauge('pipeline_state', { pipeline, state }, undefined)
    for (const stage of stages) meter.gauge('stage_busy_ratio', { pipeline, stage }, undefined)
    for (const name of ['pipeline_lag_seconds', 'in_flight_records', 'in_flight_bytes'] as const) {
      meter.gauge(name, { pipeline }, undefined)
    }
    meter.gauge('checkpoint_age_seconds', { pipeline }, undefined)
    this.#retireOplog()
  }
}

interface OwnedFigures extends SlotFigures {
  readonly slot: number
}

function urgency({ state }: OwnedFigures): number {
  return byUrgency.indexOf(state)
}

/** The fault of the worst slot; where there are several, its message says which one it is. */
function errorOf(worst: OwnedFigures | undefined, owned: number): PipelineStatus['error'] {
  const fault = worst?.fault
  if (!worst || !fault) return null
  const { code, message, remedy } = fault
  return { code, message: owned > 1 ? `slot ${worst.slot}: ${message}` : message, remedy }
}

function largestLagMs(slots: readonly OwnedFigures[]): number | null {
  let largestMs: number | null = null
  for (const { lagMs } of slots) {
    if (lagMs === null) return null
    largestMs = Math.max(largestMs ?? 0, lagMs)
  }
  return largestMs
}

function earliest(slots: readonly OwnedFigures[]): { positionMs: number; savedAtMs: number } | undefined {
  let first: { positionMs: number; savedAtMs: number } | undefined
  for (const { durable } of slots) {
    if (!durable) return undefined
    const positionMs = Math.min(durable.position.timeMs, first?.positionMs ?? Number.POSITIVE_INFINITY)
    first = { positionMs, savedAtMs: Math.min(durable.savedAtMs, first?.savedAtMs ?? Number.POSITIVE_INFINITY) }
  }
  return first
}
