import { cores, cpuSeconds, machineCpuSeconds, memoryMb } from './proc.ts'

/** The processes of one measurement. */
export interface Pids {
  readonly connector: number
  readonly mongod: number
  readonly broker: number
  /** Those that write and read for the measurement. */
  readonly helpers?: readonly number[]
}

/** CPU seconds since the start of each process, at one time. */
export interface Sample {
  readonly atMs: number
  readonly connector: number
  readonly mongod: number
  readonly broker: number
  readonly machine: number
  readonly harness: number
}

export interface Usage {
  readonly connectorS: number
  readonly mongodS: number
  readonly brokerS: number
  /** Share of the machine that neither the measured processes nor the harness used, percent. */
  readonly othersPct: number
  /** Share of the machine that the harness used, its helpers included, percent. */
  readonly harnessPct: number
}

type Figure = Exclude<keyof Sample, 'atMs'>
const everyMs = 100

/** `figure` at `atMs`, between the two samples around it. */
export function interpolate(samples: readonly Sample[], atMs: number, figure: Figure): number {
  const next = samples.findIndex(sample => sample.atMs >= atMs)
  const after = samples[next] ?? samples.at(-1)
  const before = samples[next - 1]
  if (!after) return Number.NaN
  if (!before || next < 0 || after.atMs === before.atMs) return after[figure]
  return before[figure] + ((after[figure] - before[figure]) * (atMs - before.atMs)) / (after.atMs - before.atMs)
}

/** Reads CPU time and memory of the processes ten times a second, until it is stopped. */
export class Sampler {
  readonly samples: Sample[] = []
  peakRssMb = 0
  readonly #pids: Pids
  readonly #timer: NodeJS.Timeout
  #taking: Promise<void> = Promise.resolve()

  constructor(pids: Pids) {
    this.#pids = pids
    this.#timer = setInterval(() => this.#next(), everyMs)
    this.#next()
  }

  /** Takes a last sample. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#next()
    await this.#taking
  }

  /** What was used from `fromMs` to `toMs`. */
  usage(fromMs: number, toMs: number): Usage {
    const used = (figure: Figure) => interpolate(this.samples, toMs, figure) - interpolate(this.samples, fromMs, figure)
    const [connectorS, mongodS, brokerS, harnessS] = [
      used('connector'),
      used('mongod'),
      used('broker'),
      used('harness'),
    ]
    const available = ((toMs - fromMs) / 1_000) * cores
    const othersS = Math.max(0, used('machine') - connectorS - mongodS - brokerS - harnessS)
    const percent = (seconds: number) => (100 * seconds) / available
    return { connectorS, mongodS, brokerS, othersPct: percent(othersS), harnessPct: percent(harnessS) }
  }

  #next(): void {
    this.#taking = this.#taking.then(() => this.#take())
  }

  async #take(): Promise<void> {
    const { helpers = [] } = this.#pids
    const pids = [this.#pids.connector, this.#pids.mongod, this.#pids.broker, ...helpers]
    const [connector = Number.NaN, mongod = Number.NaN, broker = Number.NaN, ...helping] = await Promise.all(
      pids.map(cpuSeconds),
    )
    const { user, system } = process.cpuUsage()
    const harness = helping.reduce((sum, seconds) => sum + seconds, (user + system) / 1e6)
    this.samples.push({ atMs: Date.now(), connector, mongod, broker, machine: machineCpuSeconds(), harness })
    const peak = await memoryMb(this.#pids.connector, 'VmHWM')
    if (peak > this.peakRssMb) this.peakRssMb = peak
  }
}
