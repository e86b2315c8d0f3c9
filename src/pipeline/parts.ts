import type { CheckpointStore } from '../checkpoint/checkpoint.ts'
import type { Clock } from '../clock.ts'
import type { Encoder } from '../encode/encode.ts'
import type { Lease } from '../lease.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import type { Position } from '../position.ts'
import type { BackOff } from '../retry.ts'
import type { Sink, TopicSpec } from '../sink/sink.ts'
import type { Source } from '../source/source.ts'
import type { Monitor } from './monitor.ts'
import type { StreamParts } from './stream.ts'
import type { PresenceReader, TailReader } from './tails.ts'
import type { OnError } from './verdicts.ts'

/** A pipeline on one slot. */
export interface PipelineParts {
  readonly name: string
  readonly deployment: string
  readonly slot: number
  /** The right to work on the slot. */
  readonly lease: Lease
  /** `exactly-once` needs a store and sinks with transactions. */
  readonly delivery: 'at-least-once' | 'exactly-once'
  readonly source: Source
  readonly cluster: string
  readonly filterHash: string
  /** Of the configuration; asked at each attempt. */
  readonly revision: () => number
  readonly store: CheckpointStore
  /** Fences every earlier sink of the same pipeline and slot, where the target can. */
  readonly openSink: (signal: AbortSignal) => Promise<Sink>
  /** At-least-once on a target without transactions: how to read back what it has taken after the checkpoint. */
  readonly tailReader?: TailReader | PresenceReader | undefined
  readonly createEncoder: (generation: number) => Encoder
  readonly topic: string
  readonly spec: TopicSpec
  /** What to do with events that cannot pass. */
  readonly onError: OnError
  /** Where to start without a checkpoint; undefined: now. */
  readonly startAt: Position | undefined
  /** At-least-once: least time between two saves. */
  readonly saveIntervalMs: number
  /** Exactly-once: least time between two commits; asked before each. */
  readonly commitIntervalMs: () => number
  readonly limits: StreamParts['limits']
  readonly backOff: BackOff
  readonly monitor: Monitor
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}
