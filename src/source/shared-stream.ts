import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Position } from '../position.ts'
import { Dealer } from './deal.ts'
import type { Matcher } from './match.ts'
import { Pace } from './pace.ts'
import { type Opening, Plan } from './plan.ts'
import type { Namespace } from './raw-event.ts'
import { Reach, type ReachSettings } from './reach.ts'
import type { Audience, ChangeStreamReader, RawBatch } from './reader.ts'
import { earliest, type Seat } from './seat.ts'

export interface StreamSettings {
  readonly clock: Clock
  readonly log: Logger
  readonly open: (opening: Opening, audience: Audience) => Pick<ChangeStreamReader, 'read'>
  readonly reach: ReachSettings
  /** How long the first seat waits for others that come with it: they cause one opening together. */
  readonly gatherMs: number
  /** How long the stream waits for a seat that takes nothing. */
  readonly stallMs: number
}

/** An open change stream: where it is, and what it was opened for. */
interface Reading {
  readonly stop: AbortController
  readonly plan: Plan
  readonly narrow: boolean
  /** Where the last batch began. */
  from: Position
  last: RawBatch
}

/**
 * One change stream and those who read it. It starts at the earliest of their positions, wide enough for all of them,
 * and is opened anew when one comes that needs it earlier or wider: each seat drops what it already has.
 */
export class SharedStream implements Audience {
  readonly kind: string
  /** The one pipeline that may read it; undefined: all of its kind. */
  only: string | undefined
  readonly #settings: StreamSettings
  readonly #seats = new Set<Seat>()
  readonly #dealer = new Dealer(this.#seats)
  readonly #stop = new AbortController()
  readonly #reach: Reach
  readonly #pace: Pace
  /** undefined while seats gather, before it is opened or opened anew. */
  #reading: Reading | undefined
  /** What the present seats want together; undefined where that is to be found out anew. */
  #plan: Plan | undefined

  constructor(kind: string, only: string | undefined, settings: StreamSettings) {
    this.kind = kind
    this.only = only
    this.#settings = settings
    this.#reach = new Reach(settings.reach, settings.clock.nowMs())
    this.#pace = new Pace(settings.clock, settings.stallMs)
  }

  get seats(): ReadonlySet<Seat> {
    return this.#seats
  }

  /** How far it has come, or where it will start. It must have a seat. */
  get at(): Position {
    return this.#reading?.last.position ?? earliest(this.#seats)!
  }

  get isOpen(): boolean {
    return this.#reading !== undefined
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** Whether a seat with everything up to `position` misses nothing here, as the stream is. */
  reaches(position: Position): boolean {
    return !this.#reading || position.compare(this.#reading.from) >= 0
  }

  /** Takes the seat in; opens the stream anew where it is not early or wide enough for it. */
  add(seat: Seat): void {
    this.#seats.add(seat)
    this.#changed()
    const reading = this.#reading
    if (!reading) return
    if (!this.reaches(seat.position) || !reading.plan.covers(seat.selection, reading.narrow)) {
      this.#reading = undefined
      reading.stop.abort(new Error('the stream is opened anew'))
    } else if (seat.position.compare(reading.last.position) < 0) {
      seat.offer(reading.last) // It is within the last batch: the rest of that is for it.
    }
  }

  /** False where the seat is not here. */
  remove(seat: Seat): boolean {
    const was = this.#seats.delete(seat)
    if (was) this.#changed()
    return was
  }

  /** Ends reading; gives up the seats, as they are. */
  stop(): readonly Seat[] {
    const seats = [...this.#seats]
    this.#seats.clear()
    this.#changed()
    this.#stop.abort(new Error('nobody reads this stream'))
    return seats
  }

  #changed(): void {
    this.#dealer.forget()
    this.#plan = undefined
  }

  /** Reads until `stop`. `dealt` is called after every batch, and may stop it. Throws what the reader throws. */
  async run(dealt: () => void): Promise<void> {
    const { clock, gatherMs } = this.#settings
    const stopped = this.#stop.signal
    while (!stopped.aborted) {
      await clock.sleep(gatherMs, stopped).catch(() => undefined) // Aborted: the loop ends.
      let from = earliest(this.#seats)
      while (from && !stopped.aborted) from = await this.#read(from, dealt)
    }
  }

  /** Reads from `from`; gives the position to go on at with another reach, undefined where seats gather anew. */
  async #read(from: Position, dealt: () => void): Promise<Position | undefined> {
    const stop = new AbortController()
    const signal = AbortSignal.any([stop.signal, this.#stop.signal])
    const { narrow } = this.#reach
    const reading: Reading = { stop, plan: this.#wanted(), narrow, from, last: nothingAt(from) }
    this.#reading = reading
    const reader = this.#settings.open(reading.plan.opening(narrow), this)
    for await (const batch of reader.read(from, signal)) {
      if (signal.aborted) break
      reading.from = reading.last.position
      reading.last = batch
      this.#deal(batch)
      dealt()
      if (signal.aborted) break
      await this.#pace.room(this.#seats, seat => this.#evict(seat), signal)
      if (this.#seats.size > 0 && this.#shouldReopen(reading)) break
    }
    stop.abort()
    return this.#reading === reading ? reading.last.position : undefined
  }

  #deal(batch: RawBatch): void {
    const parts = this.#dealer.deal(batch)
    const nowMs = this.#settings.clock.nowMs()
    for (const seat of this.#seats) seat.deal(parts.get(seat), batch, nowMs)
  }

  #evict(seat: Seat): void {
    this.remove(seat)
    seat.close()
    const { pipeline, slot } = seat.selection
    const fields = { pipeline, slot: slot.index }
    this.#settings.log.info(fields, 'A pipeline takes too little: it goes on with a change stream that waits for it')
    if (this.#seats.size === 0) this.stop()
  }

  get readers(): number {
    return this.#seats.size
  }

  get isAlone(): boolean {
    return new Set(this.#seats.values().map(({ selection }) => selection.pipeline)).size === 1
  }

  #wanted(): Plan {
    this.#plan ??= new Plan(
      this.#seats
        .values()
        .map(({ selection }) => selection)
        .toArray(),
    )
    return this.#plan
  }

  #shouldReopen({ plan, last }: Reading): boolean {
    const wanted = this.#wanted()
    if (!wanted.isLessThan(plan)) return false
    if (!this.#reach.saw(last.events.length, wantedOf(last, wanted.matches), this.#settings.clock.nowMs())) return false
    this.#settings.log.info({ narrow: this.#reach.narrow }, 'The change stream is opened again with another reach')
    return true
  }
}

function nothingAt(position: Position): RawBatch {
  return { events: [], position, bytes: 0, more: false }
}

/** How many events of the batch anybody wants. */
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
