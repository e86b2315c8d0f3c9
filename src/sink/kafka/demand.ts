import type { Clock } from '../../clock.ts'
import { partitionsFor } from './pacing.ts'

/** Shorter peaks are evened out by what may be in flight. */
const windowMs = 10_000
/** Share of the time that a partition is held back, on average, from which on the topic is too narrow. */
const heldBackShare = 0.5

export interface Advice {
  readonly topic: string
  readonly partitions: number
  /** How many the topic should have. */
  readonly neededPartitions: number
  /** The most that the topic was given, over ten seconds. */
  readonly peakBytesPerSecond: number
  /** Batches waited for their turn much of the time: the peak is what the partitions take, and more is wanted. */
  readonly isHeldBack: boolean
}

interface Window {
  sinceMs: number
  bytes: number
  waitedMs: number
  peakBytesPerSecond: number
  /** The largest number that was told. */
  told: number
}

/**
 * Measures what is sent to each topic of a target whose partitions take only so much, and says when a topic needs more
 * of them: where their number is fixed when the topic is created, that is to be known early.
 */
export class Demand {
  readonly #partitionBytesPerSecond: number
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #tell: (advice: Advice) => void
  readonly #partitions = new Map<string, number>()
  readonly #windows = new Map<string, Window>()

  constructor(partitionBytesPerSecond: number, clock: Pick<Clock, 'nowMs'>, tell: (advice: Advice) => void) {
    this.#partitionBytesPerSecond = partitionBytesPerSecond
    this.#clock = clock
    this.#tell = tell
  }

  /** How many partitions the topic has. */
  know(topic: string, partitions: number): void {
    this.#partitions.set(topic, partitions)
  }

  /** A batch was sent, after it had waited for its turn. */
  add(topic: string, bytes: number, waitedMs: number): void {
    const nowMs = this.#clock.nowMs()
    const window = this.#windows.get(topic) ?? { sinceMs: nowMs, bytes: 0, waitedMs: 0, peakBytesPerSecond: 0, told: 0 }
    this.#windows.set(topic, window)
    if (nowMs - window.sinceMs >= windowMs) this.#close(topic, window, nowMs)
    window.bytes += bytes
    window.waitedMs += waitedMs
  }

  #close(topic: string, window: Window, nowMs: number): void {
    const lengthMs = nowMs - window.sinceMs
    const partitions = this.#partitions.get(topic)
    window.peakBytesPerSecond = Math.max(window.peakBytesPerSecond, (1000 * window.bytes) / lengthMs)
    const isHeldBack = partitions !== undefined && window.waitedMs >= heldBackShare * lengthMs * partitions
    const { peakBytesPerSecond } = window
    window.sinceMs = nowMs
    window.bytes = 0
    window.waitedMs = 0
    if (partitions === undefined) return
    const byPeak = partitionsFor(peakBytesPerSecond, this.#partitionBytesPerSecond)
    const neededPartitions = isHeldBack ? Math.max(byPeak, 2 * partitions) : byPeak
    if (neededPartitions <= Math.max(partitions, window.told)) return
    window.told = neededPartitions
    this.#tell({ topic, partitions, neededPartitions, peakBytesPerSecond, isHeldBack })
  }
}

/** For people who order partitions. `growing`: whether the topic can be given more later. */
export function adviceText(advice: Advice, growing: boolean): string {
  const { topic, partitions, neededPartitions, peakBytesPerSecond, isHeldBack } = advice
  const rate = `${Math.round(peakBytesPerSecond / 10_000) / 100} MB/s`
  const had = isHeldBack ? `was given ${rate}, and more is waiting` : `was given ${rate} at its peak`
  const order = growing
    ? `give it at least ${neededPartitions} with a new generation`
    : `order a new one of at least ${neededPartitions}, for their number is fixed when it is created`
  return `topic ${topic} ${had}: its ${partitions} partitions are too few; ${order}`
}
