import { quantile } from './statistics.ts'

/** A record that has arrived: `sentUs` of its document, and when the consumer had it. Of CLOCK_MONOTONIC, as all here. */
export type Arrival = readonly [sentUs: number, arrivedUs: number]
/** A write: when it was sent, and when MongoDB had acknowledged it. In the order in which they were sent. */
export type Write = readonly [sentUs: number, acknowledgedUs: number]

/** Milliseconds. `after`: from the acknowledgement of the write on; what a connector can do something about. */
export interface Shares {
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  readonly afterP50Ms: number
  readonly afterP99Ms: number
  readonly writeP50Ms: number
  readonly writeP99Ms: number
}

/** Every figure is of records: a write of many counts as often as it has records. Both lists hold something. */
export function sharesOf(arrivals: readonly Arrival[], writes: readonly Write[]): Shares {
  const inOrder = arrivals.toSorted(([one], [other]) => one - other)
  const totalsMs: number[] = []
  const aftersMs: number[] = []
  const writesMs: number[] = []
  let next = 0
  for (const [sentUs, arrivedUs] of inOrder) {
    // The document was made after the clock of its write began, and before that of the next one did.
    while (next < writes.length && writes[next]![0] <= sentUs) next++
    const [beganUs, acknowledgedUs] = writes[Math.max(0, next - 1)]!
    totalsMs.push((arrivedUs - sentUs) / 1_000)
    aftersMs.push((arrivedUs - acknowledgedUs) / 1_000)
    writesMs.push((acknowledgedUs - beganUs) / 1_000)
  }
  const of = (values: number[]) => {
    values.sort((a, b) => a - b)
    return (share: number) => quantile(values, share)
  }
  const [total, after, write] = [of(totalsMs), of(aftersMs), of(writesMs)]
  return {
    ...{ p50Ms: total(0.5), p90Ms: total(0.9), p99Ms: total(0.99), p999Ms: total(0.999), maxMs: total(1) },
    ...{ afterP50Ms: after(0.5), afterP99Ms: after(0.99), writeP50Ms: write(0.5), writeP99Ms: write(0.99) },
  }
}
