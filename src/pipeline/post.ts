import type { Clock } from '../clock.ts'
import { type Fault, Fenced } from '../errors.ts'
import type { Lease } from '../lease.ts'
import type { Logger } from '../log.ts'
import type { Position } from '../position.ts'
import { type BackOff, backOffMs } from '../retry.ts'
import type { Monitor } from './monitor.ts'

/** A slot that is ours, for one pipeline. */
export interface Post {
  readonly slot: number
  readonly lease: Lease
  readonly monitor: Monitor
}

/** A pipeline as the supervisor knows it: a name, and how to run it. */
export interface Runnable {
  readonly name: string
  /** Equal where nothing about the pipeline has changed. */
  readonly version: string
  /** Runs it on one slot until `stop` aborts; resolves to the fault that ended it, undefined after a clean stop. */
  run(post: Post, stop: AbortSignal): Promise<Fault | undefined>
  /** Where it would continue on the slot, only looked up; undefined: nowhere yet. */
  recall(slot: number, stop: AbortSignal): Promise<Durable | undefined>
}

/** A position that is stored. */
export interface Durable {
  readonly position: Position
  readonly savedAtMs: number
}

export interface HoldOptions {
  /** Slots are shared out among workers, and the lease knows whose they are. */
  readonly shared: boolean
  readonly backOff: BackOff
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Runs `runnable` on its slot, and again where it was fenced although the lease still says that the slot is ours: a
 * worker that woke up late has done it, and will not again, since its own lease is gone. Without workers nothing can
 * say who is right: being fenced then ends the pipeline.
 */
export async function hold(
  runnable: Runnable,
  post: Post,
  options: HoldOptions,
  stop: AbortSignal,
): Promise<Fault | undefined> {
  const { shared, backOff, clock, log } = options
  for (let attempt = 1; ; attempt++) {
    const fault = await runnable.run(post, stop)
    if (!(fault instanceof Fenced) || !shared || stop.aborted) return fault
    try {
      await post.lease.confirm(stop)
      post.monitor.enter('retrying', fault)
      const fields = { code: fault.code, pipeline: runnable.name, slot: post.slot }
      log.warn(fields, 'fenced by another worker, though the slot is ours; taking it back')
      await clock.sleep(backOffMs(backOff, attempt, clock), stop)
    } catch {
      return fault // Lost for good, or stopping.
    }
  }
}

/**
 * Finds out where a paused pipeline rests that never ran here: MongoDB goes on overwriting what it has not delivered,
 * and its headroom must be seen (G10). Tries until it knows, or `stop` aborts.
 */
export async function rest(
  runnable: Runnable,
  { slot, monitor }: Post,
  { backOff, clock, log }: HoldOptions,
  stop: AbortSignal,
): Promise<undefined> {
  for (let attempt = 1; !stop.aborted && monitor.durablePosition === undefined; attempt++) {
    try {
      const found = await runnable.recall(slot, stop)
      if (found && !stop.aborted) monitor.durable(found.position, found.savedAtMs)
      return
    } catch (error) {
      log.debug({ error, pipeline: runnable.name, slot }, 'the position of a paused pipeline cannot be read yet')
      await clock.sleep(backOffMs(backOff, attempt, clock), stop).catch(() => undefined)
    }
  }
}
