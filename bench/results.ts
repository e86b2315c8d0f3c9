import { appendFile } from 'node:fs/promises'
import type { Scenario } from './options.ts'

/** What is measured, with the unit last. `PerM`: CPU seconds per million events; `Pct`: share of all cores. */
export type Figure =
  | 'events'
  | 'records'
  | 'startS'
  | 'activeS'
  | 'eventsPerS'
  | 'cpuPerM'
  | 'cpuWithStartPerM'
  | 'mongodPerM'
  | 'brokerPerM'
  | 'mbPerM'
  | 'peakRssMb'
  | 'earlyRssMb'
  | 'lateRssMb'
  | 'growthMbPerHour'
  | 'p50Ms'
  | 'p90Ms'
  | 'p99Ms'
  | 'p999Ms'
  | 'maxMs'
  | 'afterP50Ms'
  | 'afterP99Ms'
  | 'writeP50Ms'
  | 'writeP99Ms'
  | 'othersPct'
  | 'harnessPct'

/** One measured run: a line of the results file. */
export interface Result {
  readonly scenario: Scenario
  readonly connector: string
  readonly variant: string
  /** From 1 on. What is compared is compared within one round. */
  readonly round: number
  /** false where not everything arrived in time; its figures then count nowhere. */
  readonly complete: boolean
  readonly info: string
  readonly figures: Readonly<Partial<Record<Figure, number>>>
}

/** The machine and the versions: the first line of the results file. */
export interface Circumstances {
  readonly at: string
  readonly commit: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly node: string
  readonly java: string
  readonly mongod: string
  readonly kafka: string
  readonly arguments: readonly string[]
}

/** Keeps the results, and appends each to the file as soon as it is there: an aborted run keeps what it has. */
export class Results {
  readonly all: Result[] = []
  readonly #file: string | undefined

  private constructor(file: string | undefined) {
    this.#file = file
  }

  /** Without a file nothing is written. */
  static async open(file: string | undefined, circumstances: Circumstances): Promise<Results> {
    const results = new Results(file)
    await results.#write(circumstances)
    return results
  }

  async add(result: Result): Promise<void> {
    this.all.push(result)
    await this.#write(result)
  }

  async #write(line: object): Promise<void> {
    if (this.#file !== undefined) await appendFile(this.#file, `${JSON.stringify(line)}\n`)
  }
}
