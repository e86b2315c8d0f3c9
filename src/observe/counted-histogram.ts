import type { Histogram, Registry } from 'prom-client'
import type { Labels } from '../meter.ts'

export interface CountedHistogramSettings {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  /** Upper bounds of the buckets, rising; a value on a bound is inside. `+Inf` is added. */
  readonly buckets: readonly number[]
}

interface Series {
  readonly labels: Labels
  /** Observations in each bucket alone, not summed up; those beyond the last bound are only in `count`. */
  readonly inBucket: Float64Array
  sum: number
  count: number
}

/** What the registry prints as one line. */
interface Line {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/**
 * A histogram that takes equal observations as one. prom-client's takes them one by one, and a batch holds thousands
 * of changes of the same millisecond. Printed as prom-client prints its own, which its registry does for us.
 */
export class CountedHistogram {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  readonly aggregator = 'sum'
  readonly #labelNames: readonly string[]
  readonly #bounds: readonly number[]
  readonly #series = new Map<string, Series>()

  constructor(settings: CountedHistogramSettings) {
    this.name = settings.name
    this.help = settings.help
    this.#labelNames = settings.labelNames
    this.#bounds = settings.buckets
  }

  /** The registry asks a metric for nothing but `get`; its type names only prom-client's own classes. */
  register(registry: Registry): this {
    registry.registerMetric(this as unknown as Histogram)
    return this
  }

  /** Counts `value` `times` times. A label that is not described, or a number that is none, is a programmer's error. */
  observe(labels: Labels, value: number, times: number): void {
    if (!Number.isFinite(value)) throw new TypeError(`${this.name}: ${value} is not a value`)
    if (!Number.isSafeInteger(times) || times < 0) throw new TypeError(`${this.name}: ${times} is not a count`)
    const series = this.#find(labels)
    series.sum += value * times
    series.count += times
    for (let bucket = 0; bucket < this.#bounds.length; bucket += 1) {
      if (value > this.#bounds[bucket]!) continue
      series.inBucket[bucket]! += times
      return
    }
  }

  /** What prom-client's registry prints, as its own metrics give it. */
  get(): Promise<{ name: string; help: string; type: string; aggregator: string; values: Line[] }> {
    const { name, help, type, aggregator } = this
    const values = [...this.#series.values()].flatMap(series => this.#lines(series))
    return Promise.resolve({ name, help, type, aggregator, values })
  }

  #lines({ labels, inBucket, sum, count }: Series): Line[] {
    let upTo = 0
    const buckets = this.#bounds.map((le, bucket) => {
      upTo += inBucket[bucket]!
      return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: upTo }
    })
    return [
      ...buckets,
      { metricName: `${this.name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ]
  }

  #find(labels: Labels): Series {
    for (const name in labels) {
      if (!this.#labelNames.includes(name)) throw new TypeError(`${this.name} has no label "${name}"`)
    }
    let key = ''
    for (const name of this.#labelNames) key += `${labels[name] ?? ''}\0` // No value of ours holds NUL.
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { labels: { ...labels }, inBucket: new Float64Array(this.#bounds.length), sum: 0, count: 0 }
      this.#series.set(key, series)
    }
    return series
  }
}
