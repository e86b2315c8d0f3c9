import { setTimeout as sleep } from 'node:timers/promises'
import { Fenced, Retryable } from '../../../../src/errors.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import type { KafkaTarget } from '../../../../src/sink/kafka/target.ts'
import type { TransactionalSink } from '../../../../src/sink/sink.ts'
import { committed, never, record, transactional } from '../fixture.ts'
import { newClaim, valuesWith } from './claimed.ts'
import { around, rawLog } from './raw-log.ts'
import { faultsOf, suspectsOf } from './transactional-judge.ts'
import { until } from './until.ts'

export const dataPartitions = 6
const recordsPerCommit = 6
const openCommits = 2
/** Between sinks, as the pipeline's back-off would be. */
const restMs = 300
/** Of the judge, to commit its claim. */
const mostAttempts = 20

export interface TransactionalLoadParts {
  readonly target: KafkaTarget
  readonly brokers: readonly string[]
  readonly id: string
  readonly data: string
  readonly positions: string
  /** Its partition of the positions. */
  readonly slot: number
}

/**
 * Sends the numbers from 0 on in transactions, each with how far it has come, as long as it is let. Where its sink ends
 * it makes a new one and goes on after the position that is committed then, as the loop in src/pipeline would.
 */
export class TransactionalLoad {
  readonly #parts: TransactionalLoadParts
  /** Up to which number a commit was acknowledged. */
  acknowledged = 0
  /** Why sinks ended. */
  readonly ends: string[] = []

  constructor(parts: TransactionalLoadParts) {
    this.#parts = parts
  }

  async run(stop: AbortSignal): Promise<void> {
    const { target, id } = this.#parts
    while (!stop.aborted) {
      try {
        await using sink = await target.open(transactional(id), never)
        await this.#work(sink, stop)
      } catch (error) {
        if (!mayGoOn(error)) throw error
        this.ends.push(String(error))
        await sleep(restMs)
      }
    }
  }

  /** Waits until it has committed several times more. */
  async progress(): Promise<void> {
    const wanted = this.acknowledged + 5 * recordsPerCommit
    await until(() => this.acknowledged >= wanted, `progress of ${this.#parts.id}: ${this.ends.at(-1)}`)
  }

  /** What is wrong with what readers of committed transactions see, and why its sinks ended. */
  async judge(): Promise<string[]> {
    const { data, id } = this.#parts
    const claim = await this.#lastClaim()
    const position = await this.#positionWith(claim)
    const numbers: number[][] = []
    for (let partition = 0; partition < dataPartitions; partition++) {
      const values = await this.#valuesWith(claim, data, partition)
      numbers.push(values.filter(value => value.startsWith(`${id}:`)).map(value => Number(value.slice(id.length + 1))))
    }
    const log = { acknowledged: this.acknowledged, position, numbers }
    const faults = faultsOf(log)
    if (faults.length === 0) return []
    const lines = [...faults, ...this.ends.map(end => `ended: ${end}`), ...(await this.#evidence(suspectsOf(log)))]
    return lines.map(line => `${id}, position ${position}: ${line}`)
  }

  /** What stands around these numbers, and at the end of each partition. */
  async #evidence(numbers: ReadonlySet<number>): Promise<string[]> {
    const { brokers, data, positions, slot, id } = this.#parts
    const isSuspect = (line: string) => numbers.has(Number(/[:\s](\d+)$/.exec(line)?.[1]))
    const lines = around(await rawLog(brokers, positions, slot, ''), isSuspect).map(line => `positions: ${line}`)
    for (let partition = 0; partition < dataPartitions; partition++) {
      const log = around(await rawLog(brokers, data, partition, `${id}:`), isSuspect)
      lines.push(...log.map(line => `data ${partition}: ${line}`))
    }
    return lines
  }

  async #work(sink: TransactionalSink, stop: AbortSignal): Promise<void> {
    const { id, data, positions, slot } = this.#parts
    const commits: Promise<void>[] = []
    const claim = newClaim()
    await sink.commit(packRecords([record(positions, slot, claim)]), never)
    for (let from = await this.#positionWith(claim); !stop.aborted; from += recordsPerCommit) {
      const to = from + recordsPerCommit
      const numbers = Array.from({ length: recordsPerCommit }, (_, i) => from + i)
      const records = numbers.map(n => record(data, n % dataPartitions, `${id}:${n}`))
      const sent = sink.send(packRecords(records), never)
      const committing = sink.commit(packRecords([record(positions, slot, `${to}`)]), never)
      const both = Promise.all([sent, committing]).then(() => {
        this.acknowledged = Math.max(this.acknowledged, to)
      })
      both.catch(() => undefined)
      commits.push(both)
      if (commits.length > openCommits) await commits.shift()
      await sleep(20)
    }
    await Promise.all(commits)
  }

  /** Commits a claim to every partition that is judged, with a last sink: what the one before left open is settled. */
  async #lastClaim(): Promise<string> {
    const { target, id, data, positions, slot } = this.#parts
    for (let attempt = 1; ; attempt += 1) {
      const claim = newClaim()
      try {
        await using sink = await target.open(transactional(id), never)
        const claims = Array.from({ length: dataPartitions }, (_, partition) => record(data, partition, claim))
        await sink.commit(packRecords([...claims, record(positions, slot, claim)]), never)
        return claim
      } catch (error) {
        if (!mayGoOn(error) || attempt === mostAttempts) throw error
        await sleep(restMs)
      }
    }
  }

  async #positionWith(claim: string): Promise<number> {
    const { positions, slot } = this.#parts
    return Number((await this.#valuesWith(claim, positions, slot)).at(-1) ?? 0)
  }

  #valuesWith(claim: string, topic: string, partition: number): Promise<readonly string[]> {
    return valuesWith(claim, () => committed(this.#parts.brokers, topic, 1, partition))
  }
}

/** Fenced: the coordinator has ended a transaction that took too long. Nobody else uses the id. */
function mayGoOn(error: unknown): boolean {
  return error instanceof Retryable || error instanceof Fenced
}
