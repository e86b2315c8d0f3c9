import { setImmediate as turn } from 'node:timers/promises'
import { type Clock, steady } from '../clock.ts'
import { type Fault, Retryable } from '../errors.ts'
import type { ChangeBatch } from '../event.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import { Position } from '../position.ts'
import { backOffMs } from '../retry.ts'
import { BatchSize } from './batch-size.ts'
import { classify, isTokenRefused } from './classify.ts'
import { ChangeStreamCursor, type CursorSettings, type Start } from './cursor.ts'
import { EnvelopeReader } from './envelope.ts'
import { FuturePatience, isFromFuture, refuseFuture } from './future.ts'
import { type LargeEvent, largeEventOf, marked } from './large-event.ts'
import { EventOffsets, type RawEvent } from './raw-event.ts'
import { type CursorReply, endOf } from './reply.ts'

/** A batch before it is divided among the pipelines. */
export interface RawBatch extends ChangeBatch {
  readonly events: readonly RawEvent[]
  readonly more: boolean
}

export interface ReaderSettings extends CursorSettings {
  readonly log: Logger
  readonly meter: Meter
  /** A getMore or open without answer for this long gives its connection up. */
  readonly deadlineMs: number
  /** What a reply shall have when there is much to read, bytes; more for many readers. */
  readonly batchBytes: number
  /** The most events of such a reply. */
  readonly maxBatchEvents: number
  /** How long the reader tries to get a stream again before it passes the fault on. */
  readonly patienceMs: number
  readonly audience: Audience
}

/** Those who read a stream, at this moment. */
export interface Audience {
  /** Among how many its events are dealt out. */
  readonly readers: number
  /**
   * Whether they are of one pipeline. Asked when MongoDB cannot send an event whole: where there are others, another
   * stream, which asks for fewer documents, may still get it; the fault is then passed on.
   */
  readonly isAlone: boolean
}

const backOff = { initialMs: 100, maxMs: 2_000 }
const maxDeadlineMs = 600_000
/** Large events that are ahead at the same time: each is found by a getMore that failed at it. */
const maxLarge = 100
/** What such an event is counted with: those around it are asked for one by one. */
const largeEventBytes = 16 << 20

/** Where the reader is, and how it gets the stream again. */
interface Progress {
  position: Position
  start: Start
  failures: number
  /** When the present row of failures began, by the steady clock. */
  failingSinceMs: number | undefined
  readonly future: FuturePatience
  /** When the stream was last asked for, by the steady clock. */
  openedMs: number
  /** Grows while nothing arrives: a getMore that scans a long oplog is slow, not dead, and needs one long turn. */
  deadlineMs: number
  opened: boolean
  /** Ahead of the position: events that MongoDB cannot send whole, and that are to come without their documents. */
  large: readonly LargeEvent[]
}

/**
 * One change stream as batches of raw events, read one batch ahead, and got again by itself when connections,
 * cursors or primaries go: every event after `from` once, in MongoDB's order (G1, G2).
 */
export class ChangeStreamReader {
  readonly #settings: ReaderSettings
  /** A time of day that is set back would add to our patience. */
  readonly #clock: Clock
  readonly #envelopes = new EnvelopeReader()
  readonly #size: BatchSize

  constructor(settings: ReaderSettings) {
    this.#settings = settings
    this.#clock = steady(settings.clock)
    this.#size = new BatchSize(settings.batchBytes, settings.maxBatchEvents)
  }

  /**
   * Ends by returning when `signal` aborts. Throws Retryable when the stream could not be had again for `patienceMs`,
   * PositionLost, PoisonEvent or Configuration at once.
   */
  async *read(from: Position, signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
    const progress: Progress = {
      position: from,
      start: { kind: 'token', position: from },
      failures: 0,
      failingSinceMs: undefined,
      future: new FuturePatience(this.#clock),
      openedMs: 0,
      deadlineMs: this.#settings.deadlineMs,
      opened: false,
      large: [],
    }
    while (!signal.aborted) {
      try {
        yield* this.#stream(progress, signal)
      } catch (error) {
        if (signal.aborted) return
        await this.#recover(error, progress, signal)
      }
    }
  }

  /** One life of a cursor. Returns when the server has closed it, with `progress.start` set to what follows. */
  async *#stream(progress: Progress, signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
    const { large } = progress
    const settings = { ...this.#settings, large }
    progress.openedMs = this.#clock.nowMs()
    const opened = await ChangeStreamCursor.open(settings, progress.start, progress.deadlineMs, signal)
    await using cursor = opened.cursor
    if (progress.opened) settings.meter.count('source_reconnects_total', {})
    progress.opened = true
    refuseFuture(progress.position, opened.operationTime)
    let asked = this.#size.eventsFor(settings.audience.readers)
    let next = cursor.more(asked, progress.deadlineMs)
    for (;;) {
      const reply = await next
      const answered = asked
      const open = reply.cursorId !== 0n
      if (open) {
        this.#size.received(reply.eventStarts.length, reply.bytes.length)
        asked = this.#size.eventsFor(settings.audience.readers)
        next = cursor.more(asked, settings.deadlineMs)
        next.catch(() => undefined) // Seen when it is awaited; the consumer may leave before.
        await turn() // Puts the command on the wire before any work on this reply: MongoDB works meanwhile.
      }
      const batch = batchOf(reply, answered, this.#envelopes, progress.position)
      const events = large.length === 0 ? batch.events : marked(batch.events, large)
      advance(progress, batch.position, settings.deadlineMs)
      if (!open) progress.start = startAfterClose(batch)
      yield { ...batch, events }
      // Behind them, the stream goes on as everybody's: with its documents.
      const isPast = large.length > 0 && progress.large.length === 0
      if (!open || isPast) return
    }
  }

  /** Whether `error` says that MongoDB cannot send an event; from now on it is asked for without its documents. */
  #slims(error: unknown, progress: Progress): boolean {
    const found = largeEventOf(error)
    if (found === undefined || found.position.compare(progress.position) <= 0) return false
    if (progress.large.length === maxLarge || progress.large.some(({ data }) => data === found.data)) return false
    if (!this.#settings.audience.isAlone) return false
    const position = found.position.toString()
    this.#settings.log.warn({ position }, 'A change event is larger than 16 MB: it is read without its documents')
    progress.large = [...progress.large, found]
    this.#size.received(1, largeEventBytes)
    return true
  }

  /** Waits before the next try; throws where there shall be none. */
  async #recover(error: unknown, progress: Progress, signal: AbortSignal): Promise<void> {
    const { log, meter, patienceMs } = this.#settings
    const clock = this.#clock
    if (isTokenRefused(error) && progress.start.kind === 'token' && progress.start.position.resumeToken) {
      log.info({ position: progress.position.toString() }, 'The resume token is not of this stream: resuming by time')
      progress.start = { kind: 'time', clusterTime: progress.position.clusterTime }
      return
    }
    if (this.#slims(error, progress)) return
    const fault = classify(error, progress.opened ? 'read' : 'open')
    if (fault.code === 'SOURCE_HISTORY_LOST') meter.count('source_history_lost_total', {})
    progress.failures++
    if (progress.future.isOver(fault, progress.openedMs) || !mayRetry(fault)) throw fault
    const nowMs = clock.nowMs()
    progress.failingSinceMs ??= nowMs
    if (fault.code === 'SOURCE_STALLED' && progress.deadlineMs < maxDeadlineMs) {
      // Patience waits: a new reader would begin with the short deadline again, and never get through a long scan.
      progress.deadlineMs = Math.min(progress.deadlineMs * 2, maxDeadlineMs)
    } else if (!isFromFuture(fault) && nowMs - progress.failingSinceMs > patienceMs) {
      throw fault
    }
    log.warn(
      { code: fault.code, attempt: progress.failures, error: fault.message },
      'The change stream is opened again',
    )
    try {
      await clock.sleep(backOffMs(backOff, progress.failures, clock), signal)
    } catch {
      // Aborted: the caller looks at the signal.
    }
  }
}

/** Where a token or a high-water mark is at one of them, it has come. */
function stillToCome(large: readonly LargeEvent[], of: Position): readonly LargeEvent[] {
  return large.length === 0 ? large : large.filter(({ position }) => position.compare(of) > 0)
}

function mayRetry(fault: Fault): boolean {
  return fault instanceof Retryable || isFromFuture(fault)
}

/** The events after `position`: what a stream opened by time repeats is dropped. */
function batchOf(reply: CursorReply, asked: number, envelopes: EnvelopeReader, position: Position): RawBatch {
  const { bytes, eventStarts, postBatchToken } = reply
  const offsets = new EventOffsets(eventStarts.length)
  let events: RawEvent[] = []
  // Pushed one by one: what V8 makes of `map` has another shape once it is optimized, and all loops over it with it.
  for (const start of eventStarts) events.push(envelopes.read(bytes, start, endOf(bytes, start), offsets))
  const last = events.at(-1)
  // Events are in order, so the first tells whether any is to be dropped.
  if (events[0] && events[0].position.compare(position) <= 0) {
    events = events.filter(event => event.position.compare(position) > 0)
  }
  const reached = postBatchToken ? Position.ofToken(postBatchToken) : (last?.position ?? position)
  let size = 0
  for (const event of events) size += event.end - event.start
  return {
    events,
    position: reached.compare(position) > 0 ? reached : position,
    bytes: size,
    more: eventStarts.length >= asked,
  }
}

function advance(progress: Progress, position: Position, deadlineMs: number): void {
  progress.failures = 0
  progress.failingSinceMs = undefined
  progress.future.reset()
  progress.deadlineMs = deadlineMs
  if (position.compare(progress.position) <= 0) return
  progress.position = position
  progress.start = { kind: 'token', position }
  progress.large = stillToCome(progress.large, position)
}

/**
 * How to go on when the server has closed the cursor: after the invalidate event, or, where a filter hid it, one tick
 * later; its own tick would only bring it again, for ever.
 */
function startAfterClose(batch: RawBatch): Start {
  const last = batch.events.at(-1)
  if (last?.operation === 'invalidate') return { kind: 'token', position: last.position }
  return { kind: 'time', clusterTime: batch.position.clusterTime + 1n }
}
