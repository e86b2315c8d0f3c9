import { PositionLost, Retryable } from '../errors.ts'
import { classify } from './classify.ts'
import { kindOf } from './plan.ts'
import type { Seat } from './seat.ts'
import { SharedStream, type StreamSettings } from './shared-stream.ts'

/**
 * Seats this close to a stream share it, behind or ahead of it, in cluster time. A slot that was taken over is behind by
 * a session timeout and a save interval; to read that again costs the others less than a stream more, for a minute of
 * changes is read in seconds.
 */
const nearMs = 60_000
/** A stream may wait this long, in cluster time, for another to come where it is: then one of them is enough. */
const meetMs = 2_000
/** Streams of one kind. Who finds no place near waits for one that is behind it, or takes the hindmost back. */
const maxStreams = 4
/** How long a pipeline keeps a stream for itself after a shared one was refused: the one to blame has failed by then. */
const aloneMs = 60_000

/**
 * The change streams of the worker (decision 2): as few as will do. All slots of all pipelines that are near each other
 * in history share one; those far behind, such as a pipeline that was paused for hours, read another until it meets the
 * first. A pipeline with a filter shares only among its own slots. Streams end when nobody reads them, and their width
 * follows those that read: nobody need be known before.
 */
export class Hub {
  readonly #settings: StreamSettings
  readonly #streams: SharedStream[] = []

  constructor(settings: StreamSettings) {
    this.#settings = settings
  }

  /** How many streams are open or about to be. */
  get streams(): number {
    return this.#streams.length
  }

  /**
   * Finds the seat a stream. `rewinds`: a stream that is a little past it may be taken back for it. Not for a pipeline
   * that tries again and again: that would cost the others.
   */
  sit(seat: Seat, rewinds: boolean): void {
    this.#streamFor(seat, rewinds).add(seat)
  }

  /** Nothing of what waits is wanted any more. */
  leave(seat: Seat): void {
    seat.abandon()
    for (const stream of this.#streams) if (stream.remove(seat) && stream.seats.size === 0) this.#end(stream)
  }

  #streamFor({ position, selection }: Seat, rewinds: boolean): SharedStream {
    const kind = kindOf(selection)
    const possible = this.#streams
      .filter(({ kind: its, only, isStopped }) => {
        return its === kind && (only ?? selection.pipeline) === selection.pipeline && !isStopped
      })
      .toSorted((a, b) => b.at.compare(a.at)) // The furthest first.
    const near = possible.filter(({ at }) => Math.abs(at.timeMs - position.timeMs) <= nearMs)
    const found = near.find(stream => stream.reaches(position)) ?? (rewinds ? near.at(-1) : undefined)
    if (found) return found
    if (possible.length < maxStreams) return this.#open(kind, undefined)
    return possible.find(stream => stream.reaches(position)) ?? possible.at(-1)!
  }

  #open(kind: string, only: string | undefined): SharedStream {
    const stream = new SharedStream(kind, only, this.#settings)
    this.#streams.push(stream)
    const aloneUntilMs = this.#settings.clock.nowMs() + aloneMs
    stream
      .run(() => this.#meet(stream, aloneUntilMs))
      .then(
        () => this.#end(stream),
        error => this.#failed(stream, error),
      )
    return stream
  }

  /** Gives the seats to a stream that is where this one is. */
  #meet(stream: SharedStream, aloneUntilMs: number): void {
    if (stream.only !== undefined && this.#settings.clock.nowMs() >= aloneUntilMs) stream.only = undefined
    const { at, kind, only } = stream
    const other = this.#streams.find(one => {
      if (one === stream || one.kind !== kind || one.only !== only || !one.isOpen || one.isStopped) return false
      return one.reaches(at) && one.at.timeMs >= at.timeMs - meetMs
    })
    if (!other) return
    for (const seat of this.#end(stream)) other.add(seat)
  }

  /** Ends the stream; what it had as seats is for the caller. */
  #end(stream: SharedStream): readonly Seat[] {
    const index = this.#streams.indexOf(stream)
    if (index >= 0) this.#streams.splice(index, 1)
    return stream.stop()
  }

  /**
   * What a retry mends, each pipeline hears of. A lost position is that of the hindmost seats alone. What else no retry
   * mends is one pipeline's doing: each is given a stream of its own, which stops those that have it.
   */
  #failed(stream: SharedStream, error: unknown): void {
    if (stream.isStopped) return
    const { at, kind } = stream
    const fault = classify(error, 'read')
    this.#settings.log.warn({ code: fault.code, error: fault.message }, 'A change stream ended')
    const seats = this.#end(stream)
    const lost = fault instanceof PositionLost ? seats.filter(({ position }) => position.compare(at) <= 0) : []
    const pipelines = Map.groupBy(seats, ({ selection }) => selection.pipeline)
    if (lost.length > 0 && lost.length < seats.length) {
      for (const seat of lost) seat.close(fault)
      const rest = this.#open(kind, stream.only)
      for (const seat of seats) if (!lost.includes(seat)) rest.add(seat)
    } else if (fault instanceof Retryable || lost.length > 0 || pipelines.size === 1) {
      for (const seat of seats) seat.close(fault)
    } else {
      for (const [pipeline, its] of pipelines) {
        const own = this.#open(kind, pipeline)
        for (const seat of its) own.add(seat)
      }
    }
  }
}
