import type { PresenceReader, TailReader } from '../pipeline/tails.ts'
import type { Capabilities, Sink, SinkRequest } from '../sink/sink.ts'

/** Where all pipelines write: makes a sink for each of them and each slot. */
export interface Target extends AsyncDisposable {
  readonly capabilities: Capabilities
  /** What it is and why it can do no more, for people: printed once. */
  readonly about: TargetAbout
  /** For targets without transactions: reads back what they have taken after a checkpoint. */
  readonly tailReader?: TailReader | PresenceReader | undefined
  open(request: SinkRequest, signal: AbortSignal): Promise<Sink>
}

export interface TargetAbout {
  readonly title: string
  /** Empty where nothing is missing. */
  readonly because: readonly string[]
  /** What its topics can be, and who says so; absent: nothing to say. */
  readonly topics?: string | undefined
  /** What one partition takes in a second; absent: no limit of its own. */
  readonly partitionBytesPerSecond?: number | undefined
}
