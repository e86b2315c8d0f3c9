import type { Bottleneck, BusyRatios } from './busy.ts'

/** What a pipeline is doing. `idle`: running with nothing to do. `standby`: other workers have all of its slots. */
export type PipelineState = 'starting' | 'running' | 'idle' | 'retrying' | 'paused' | 'failed' | 'stopped' | 'standby'

/** A pipeline as the admin API and `status` show it. Times are milliseconds since the Unix epoch, null: not known. */
export interface PipelineStatus {
  readonly name: string
  readonly state: PipelineState
  /** Where the state is `retrying` or `failed`: the error's code, message and remedy. */
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string } | null
  readonly lagMs: number | null
  /** Cluster time of the durable position, milliseconds. */
  readonly positionMs: number | null
  readonly checkpointSavedAtMs: number | null
  readonly oplogWindowMs: number | null
  readonly oplogHeadroomMs: number | null
  readonly inFlightRecords: number
  readonly inFlightBytes: number
  readonly records: number
  /** What is missing to 1 is the share in which it waited for somebody to change something. */
  readonly busy: BusyRatios
  /** What limits the throughput now; null where nothing does, because changes come slower than it could take them. */
  readonly limitedBy: Bottleneck | null
  /** The share of the last ten seconds in which a quota of the broker made the sink wait, 0 to 1. */
  readonly throttledRatio: number
}

/** How the slots of the deployment are shared, as this worker sees it. */
export interface WorkersStatus {
  readonly coordination: 'none' | 'static' | 'kafka'
  readonly slots: number
  /** This worker's name; null where it is alone. */
  readonly name: string | null
  /** `standby`: in the group, without slots. `releasing`: slots are being handed over. */
  readonly state: 'joining' | 'working' | 'standby' | 'releasing' | 'stopped'
  readonly owned: readonly number[]
  /** Every worker that is known, this one included, and what it owns; with `static`, what it is to own. */
  readonly workers: readonly WorkerShare[]
}

/** One worker and its slots. */
export interface WorkerShare {
  readonly name: string
  readonly owned: readonly number[]
  /** How busy it was when it last said so; absent: it did not say. */
  readonly busy?: BusyRatios
}

/** Which configuration is in force. Times are milliseconds since the Unix epoch. */
export interface ConfigStatus {
  readonly loadedAtMs: number
  /** The last change of the file that was seen; null: none since the start. */
  readonly lastReload: {
    readonly atMs: number
    /** false: the configuration of before stays in force. */
    readonly applied: boolean
    /** Why it was not applied, one sentence each. */
    readonly problems: readonly string[]
  } | null
}

/** What became of an order to pause or resume a pipeline. `changed: false`: it was so already. */
export type ControlResult =
  | { readonly changed: boolean }
  /** It makes no sense in the pipeline's state; why, in a sentence for the one who asked. */
  | { readonly refused: string }
