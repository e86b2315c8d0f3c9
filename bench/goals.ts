import { fourSlots } from './bench.ts'
import type { Figure, Result } from './results.ts'
import { largest, ratio, typical, type Which } from './summary.ts'

export interface Goal {
  readonly text: string
  readonly limit: number
  readonly atLeast: boolean
  readonly unit: string
  /** undefined: not measured in this run. */
  readonly measured: number | undefined
}

const us = 'mongo2kafka'
const atLeastOnce = 'at-least-once'
const exactlyOnce = 'exactly-once'
const growthAllowedMb = 10

/** undefined where it was not measured. */
export function isMet({ measured, limit, atLeast }: Goal): boolean | undefined {
  if (measured === undefined || Number.isNaN(measured)) return undefined
  return atLeast ? measured >= limit : measured <= limit
}

/** What the engine is to reach, and what it did. Ratios are taken within rounds. */
export function goals(results: readonly Result[]): Goal[] {
  const by = (figure: Figure) => (run: Result) => run.figures[figure]
  const against = (scenario: 'drain' | 'lookup' | 'latency', connector: string, figure: Figure) =>
    ratio(results, { scenario, connector: us, variant: atLeastOnce }, { scenario, connector }, by(figure))
  const ours = (scenario: Which['scenario'], figure: Figure, variant: string = atLeastOnce) =>
    typical(results, { scenario, connector: us, variant }, figure)
  const drain: Which = { scenario: 'drain', connector: us, variant: atLeastOnce }
  const exactly: Which = { ...drain, variant: exactlyOnce }
  const exactlyOfFour: Which = { ...drain, variant: fourSlots.variant }
  const limitOfSource: Which = { scenario: 'source', variant: 'no lookup' }
  return [
    atLeast('drain: times mongo-kafka', 4, '×', against('drain', 'mongo-kafka', 'eventsPerS')),
    atLeast('drain: times Debezium', 5, '×', against('drain', 'debezium', 'eventsPerS')),
    atLeast(
      'drain: share of what the reader alone reaches',
      0.9,
      '×',
      ratio(results, drain, limitOfSource, by('eventsPerS')),
    ),
    atMost('drain: CPU seconds per million events', 4.5, 's', ours('drain', 'cpuPerM')),
    atMost('drain: peak RSS', 200, 'MB', largest(results, drain, 'peakRssMb')),
    atMost('flat: growth from the second to the last quarter', growthAllowedMb, 'MB', growth(results)),
    atLeast('lookup: times mongo-kafka', 2.5, '×', against('lookup', 'mongo-kafka', 'eventsPerS')),
    atMost(
      "lookup: mongod's CPU, of that with server-side lookups",
      0.7,
      '×',
      against('lookup', 'mongo-kafka', 'mongodPerM'),
    ),
    atMost('latency at 1,000 writes/s: p50', 4.5, 'ms', ours('latency', 'p50Ms')),
    atMost('latency at 1,000 writes/s: p99', 18.5, 'ms', ours('latency', 'p99Ms')),
    atMost('latency p50, of the best peer', 0.5, '×', ofBestPeer(results, 'p50Ms')),
    atMost('latency p99, of the best peer', 0.5, '×', ofBestPeer(results, 'p99Ms')),
    atMost('latency p99 without the write, of the best peer', 0.5, '×', ofBestPeer(results, 'afterP99Ms')),
    atMost('start to first event', 1.5, 's', ours('drain', 'startS')),
    atMost('exactly-once: CPU seconds per million events', 6, 's', ours('drain', 'cpuPerM', exactlyOnce)),
    atLeast('exactly-once: share of at-least-once', 0.8, '×', ratio(results, exactly, drain, by('eventsPerS'))),
    atLeast(
      'exactly-once, four slots: share of at-least-once',
      0.8,
      '×',
      ratio(results, exactlyOfFour, drain, by('eventsPerS')),
    ),
    atMost('exactly-once, four slots: latency p99', 50, 'ms', ours('latency', 'p99Ms', exactlyOnce)),
    atMost('a hundred pipelines, of the CPU of one (with mongod)', 1.15, '×', hundred(results)),
    atMost('lz4: added CPU seconds per million', 1.5, 's', added(ours, 'lz4')),
  ]
}

function atLeast(text: string, limit: number, unit: string, measured: number | undefined): Goal {
  return { text, limit, unit, measured, atLeast: true }
}

function atMost(text: string, limit: number, unit: string, measured: number | undefined): Goal {
  return { text, limit, unit, measured, atLeast: false }
}

function growth(results: readonly Result[]): number | undefined {
  const flat: Which = { scenario: 'flat' }
  const [early, late] = [typical(results, flat, 'earlyRssMb'), typical(results, flat, 'lateRssMb')]
  return early === undefined || late === undefined ? undefined : late - early
}

/** Against whichever peer had the smaller median. */
function ofBestPeer(results: readonly Result[], figure: Figure): number | undefined {
  const ours = typical(results, { scenario: 'latency', connector: us, variant: atLeastOnce }, figure)
  const peers = ['mongo-kafka', 'debezium'].flatMap(
    connector => typical(results, { scenario: 'latency', connector }, figure) ?? [],
  )
  return ours === undefined || peers.length === 0 ? undefined : ours / Math.min(...peers)
}

/** What a hundred pipelines use, ours and mongod's, over what one pipeline on the same collections does. */
function hundred(results: readonly Result[]): number | undefined {
  const cost = ({ figures: { cpuPerM = Number.NaN, mongodPerM = Number.NaN } }: Result) => cpuPerM + mongodPerM
  const scenario = 'pipelines'
  return ratio(results, { scenario, variant: 'hundred' }, { scenario, variant: 'one' }, cost)
}

function added(ours: (scenario: 'compression', figure: Figure, variant: string) => number | undefined, codec: string) {
  const [without, withCodec] = [ours('compression', 'cpuPerM', 'none'), ours('compression', 'cpuPerM', codec)]
  return without === undefined || withCodec === undefined ? undefined : withCodec - without
}
