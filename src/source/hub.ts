import type { Clock } from '../clock.ts'
import { Retryable } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Position } from '../position.ts'
import { classify } from './classify.ts'
import { Dealer } from './deal.ts'
import type { Matcher } from './match.ts'
import type { Namespace } from './raw-event.ts'
import { Reach, type ReachSettings } from './reach.ts'
import type { ChangeStreamReader, RawBatch } from './reader.ts'
import { Seat } from './seat.ts'

/** How the shared stream can be opened. */
export interface SharedStreams {
  /** `narrow`: MongoDB leaves out what no pipeline wants. */
  readonly open: (narrow: boolean) => Pick<ChangeStreamReader, 'read'>
  /** What the pipelines want, together; undefined where the stream cannot be narrower than it is. */
  readonly wants: Matcher | undefined
}

export interface HubSettings {
  readonly clock: Clock
  readonly log: Logger
  /**
   * The shared stream's readers, wide enough for every pipeline known by then: asked for when the stream starts to run.
   */
  readonly streams: () => SharedStreams
  readonly reach: ReachSettings
  /** How long the first pipeline waits for others that start with it. */
  readonly gatherMs: number
  /** How long the shared stream waits for a pipeline that takes nothing before that one must read on its own. */
  readonly stallMs: number
}

/**
 * One change stream for all pipelines of the worker (decision 2). Each has a seat with its own position; the stream
 * starts at the earliest of them. A pipeline may sit down whenever its position is not behind the stream; one that is
 * behind reads a stream of its own until it is not.
 */
export class Hub {
  readonly #settings: HubSettings
  readonly #seats = new Set<Seat>()
  readonly #dealer = new Dealer(this.#seats)
  #running: AbortController | undefined
  /** Where the last batch began; undefined until the stream's start is settled. */
  #lastFrom: Position | undefined
  #last: RawBatch | undefined

  constructor(settings: HubSettings) {
    this.#settings = settings
  }

  /** Whether the stream is open, with a reach that can no longer be changed. */
  get running(): boolean {
    return this.#running !== undefined
  }

  /** A seat for a pipeline that has everything up to `position`; undefined where the stream is past that. */
  sit(matches: Matcher, position: Position): Seat | undefined {
    const last = this.#last
    const lastFrom = this.#lastFrom
    if (this.#running && last && lastFrom && position.compare(lastFrom) < 0) return undefined
    const seat = new Seat(matches, position)
    this.#seats.add(seat)
    this.#dealer.forget()
    if (!this.#running) this.#start()
    // A pipeline that is within the last batch is given the rest of it.
    else if (last && position.compare(last.position) < 0) seat.offer(last)
    return seat
  }

  /** As `sit`, but never starts the shared stream: for a pipeline that the shared stream's failure left on its own. */
  rejoin(matches: Matcher, position: Position): Seat | undefined {
    return this.#running ? this.sit(matches, position) : undefined
  }

  leave(seat: Seat): void {
    this.#remove(seat)
    if (this.#seats.size === 0) this.#running?.abort(new Error('no pipeline reads'))
  }

  #remove(seat: Seat): void {
    this.#seats.delete(seat)
    this.#dealer.forget()
    seat.close()
  }

  #start(): void {
    const running = new AbortController()
    this.#running = running
    this.#last = undefined
    this.#lastFrom = undefined
    const done = (fault?: Retryable) => {
      // An aborted run may end after its successor has begun: the seats are then not its own.
      if (this.#running !== running) return
      this.#running = undefined
      for (const seat of this.#seats) seat.close(fault)
      this.#seats.clear()
      this.#dealer.forget()
    }
    running.signal.addEventListener('abort', () => done(), { once: true })
    this.#pump(running.signal).then(
      () => done(),
      error => {
        if (running.signal.aborted) return
        const fault = classify(error, 'read')
        // What no retry mends is put to each pipeline on a stream of its own: it stops those that have it.
        this.#settings.log.warn({ code: fault.code, error: fault.message }, 'The shared change stream ended')
        done(fault instanceof Retryable ? fault : undefined)
      },
    )
  }

  async #pump(signal: AbortSignal): Promise<void> {
    const { clock, gatherMs, streams } = this.#settings
    await clock.sleep(gatherMs, signal)
    const from = earliest(this.#seats)
    if (!from) return
    // From here on only pipelines that are not behind `from` may sit down.
    this.#lastFrom = from
    this.#last = { events: [], position: from, bytes: 0, more: false }
    const { open, wants } = streams()
    const reach = new Reach(this.#settings.reach, clock.nowMs())
    while (!signal.aborted) await this.#run(open(reach.narrow).read(this.#last.position, signal), reach, wants, signal)
  }

  /** Deals `batches` out until they end, or until the stream is to be opened with another reach. */
  async #run(
    batches: AsyncIterable<RawBatch>,
    reach: Reach,
    wants: Matcher | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, log } = this.#settings
    for await (const batch of batches) {
      if (signal.aborted) return
      this.#lastFrom = this.#last!.position
      this.#last = batch
      const parts = this.#dealer.deal(batch)
      const nowMs = clock.nowMs()
      for (const seat of this.#seats) seat.deal(parts.get(seat), batch, nowMs)
      await Promise.all([...this.#seats].map(seat => this.#room(seat, signal)))
      if (!wants || !reach.saw(batch.events.length, wantedOf(batch, wants), clock.nowMs())) continue
      log.info({ narrow: reach.narrow }, 'The shared change stream is opened again with another reach')
      return
    }
  }

  /** Waits until the seat has room; frees it, for good, when it has none for too long. */
  async #room(seat: Seat, signal: AbortSignal): Promise<void> {
    if (!seat.full) return
    const { clock, log, stallMs } = this.#settings
    const timer = new AbortController()
    const stalled = clock.sleep(stallMs, AbortSignal.any([timer.signal, signal])).then(
      () => true,
      () => true, // Aborted: nobody waits any more.
    )
    try {
      while (seat.full) {
        const late = await Promise.race([stalled, seat.changed.then(() => false)])
        if (!late) continue
        if (!signal.aborted) log.info({}, 'A pipeline takes nothing: it reads a stream of its own when it goes on')
        this.#remove(seat)
      }
    } finally {
      timer.abort()
    }
  }
}

function earliest(seats: ReadonlySet<Seat>): Position | undefined {
  let first: Position | undefined
  for (const { position } of seats) if (!first || position.compare(first) < 0) first = position
  return first
}

/** How many events of the batch any pipeline wants. */
function wantedOf(batch: RawBatch, wants: Matcher): number {
  let wanted = 0
  let namespace: Namespace | undefined
  let mine = false
  for (const event of batch.events) {
    if (event.namespace !== namespace) {
      namespace = event.namespace
      mine = wants(namespace.db, namespace.collection)
    }
    if (mine) wanted++
  }
  return wanted
}
