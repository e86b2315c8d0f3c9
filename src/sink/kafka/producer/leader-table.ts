import type { Clock } from '../../../clock.ts'
import { type Fault, Retryable } from '../../../errors.ts'
import { backOffMs } from '../../../retry.ts'
import { denialOf } from '../acl.ts'
import { faultOf } from '../classify.ts'
import type { TopicLeaders, Wire } from '../wire.ts'
import { Alarm } from './alarm.ts'
import { faultOfCode } from './produce-errors.ts'

/** Between look-ups of one topic, however many partitions ask. */
const lookUpBackOff = { initialMs: 100, maxMs: 1_000 }
/** After so long without a look-up of a topic, the next one counts as the first. */
const quietMs = 10_000

export interface LeaderTableParts {
  readonly wire: Wire
  readonly clock: Clock
  readonly signal: AbortSignal
  /** A topic that was wanted was looked up, perhaps in vain: who still misses its leader wants it again. */
  readonly onNews: (topic: string) => void
  /** A topic's leaders will not be known without a person's help. */
  readonly onFault: (topic: string, fault: Fault) => void
}

/** What is known of one topic. */
interface Entry {
  /** Node id by partition, -1: not known. */
  leaders: number[]
  attempt: number
  askedMs: number
  notBeforeMs: number
}

/**
 * Who leads which partition, asked when somebody wants to know: one look-up at a time, for all topics that are wanted
 * then. A topic that was not asked for lately is looked up at once; look-ups of one topic keep a growing distance.
 * Topics that go on being wanted soon ask in step, so that many of them cost no more look-ups than one.
 */
export class LeaderTable {
  readonly #parts: LeaderTableParts
  readonly #entries = new Map<string, Entry>()
  readonly #wanted = new Set<string>()
  readonly #alarm: Alarm
  #asking = false

  constructor(parts: LeaderTableParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.clock, () => this.#askIfDue())
  }

  /** Node id of the leader; undefined where it is not known. */
  leaderOf(topic: string, partition: number): number | undefined {
    const nodeId = this.#entries.get(topic)?.leaders[partition]
    return nodeId === undefined || nodeId < 0 ? undefined : nodeId
  }

  /** What the table says of the partition is wrong. */
  forget(topic: string, partition: number): void {
    const leaders = this.#entries.get(topic)?.leaders
    if (leaders !== undefined && partition < leaders.length) leaders[partition] = -1
  }

  /** Asks for the topic, in a look-up that begins after this call; `onNews` or `onFault` follows it. */
  want(topic: string): void {
    this.#wanted.add(topic)
    this.#askIfDue()
  }

  close(): void {
    this.#alarm.stop()
  }

  #askIfDue(): void {
    if (this.#asking || this.#wanted.size === 0 || this.#parts.signal.aborted) return
    const dueMs = Math.min(...this.#wanted.values().map(topic => this.#entries.get(topic)?.notBeforeMs ?? 0))
    if (this.#parts.clock.nowMs() < dueMs) {
      this.#alarm.set(dueMs)
      return
    }
    this.#asking = true
    // In the next microtask: what else is wanted in this turn is asked for together.
    queueMicrotask(() => void this.#ask())
  }

  async #ask(): Promise<void> {
    const { wire, signal } = this.#parts
    const topics = [...this.#wanted]
    this.#wanted.clear()
    for (const topic of topics) this.#noteAsked(topic)
    let found: readonly TopicLeaders[] = []
    let fault: Fault | undefined
    try {
      found = await wire.leaders(topics, signal)
    } catch (error) {
      fault = faultOf(error, `ask for the leaders of ${topics.join(', ')}`)
    }
    this.#asking = false
    if (signal.aborted) return
    const byTopic = new Map(found.map(leaders => [leaders.topic, leaders]))
    for (const topic of topics) this.#learn(topic, byTopic.get(topic), fault)
    this.#askIfDue()
  }

  #noteAsked(topic: string): void {
    const { clock } = this.#parts
    const nowMs = clock.nowMs()
    const before = this.#entries.get(topic)
    const attempt = before === undefined || nowMs - before.askedMs > quietMs ? 1 : before.attempt + 1
    const notBeforeMs = nowMs + backOffMs(lookUpBackOff, attempt, clock)
    this.#entries.set(topic, { leaders: before?.leaders ?? [], attempt, askedMs: nowMs, notBeforeMs })
  }

  #learn(topic: string, found: TopicLeaders | undefined, lookUpFault: Fault | undefined): void {
    const entry = this.#entries.get(topic)
    if (entry !== undefined && found?.errorCode === 0) entry.leaders = [...found.leaders]
    const code = found?.errorCode ?? 0
    const fault =
      lookUpFault ??
      (code === 0 ? undefined : faultOfCode(code, `ask for the leaders of ${topic}`, denialOf('Metadata', code, topic)))
    if (fault !== undefined && !(fault instanceof Retryable)) this.#parts.onFault(topic, fault)
    // Where it is wanted again, somebody learned after this look-up began that it is wrong: the next one will tell.
    else if (!this.#wanted.has(topic)) this.#parts.onNews(topic)
  }
}
