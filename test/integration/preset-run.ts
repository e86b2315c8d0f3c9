import { type PresetName, presets } from '../../src/preset.ts'
import { Arrivals } from '../faults/arrivals.ts'
import type { FetchedRecord } from '../faults/fetch-connection.ts'
import { changesOf } from '../faults/journal.ts'
import { judge, type Verdict } from '../faults/judge.ts'
import { Tail } from '../faults/tail.ts'
import { Writer } from '../faults/writer.ts'
import { behaviours } from '../sink/kafka/proxy/behaviours.ts'
import { KafkaProxy } from '../sink/kafka/proxy/proxy.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'

export interface PresetRunOptions {
  readonly preset: PresetName
  readonly uri: string
  /** Of the Kafka behind the proxy. */
  readonly brokers: readonly string[]
  readonly seed: number
  /** Times that the daemon is killed and started again. */
  readonly kills: number
}

export interface PresetRunReport extends Verdict {
  readonly changes: number
  /** The plan that each daemon printed. */
  readonly plans: readonly string[]
  /** Of the last daemon, after SIGTERM. */
  readonly exit: number | null
  /** What the target was asked and does not take: requests that cost their connection, and refused records. */
  readonly refused: number
}

const partitions = 3
const collections = ['orders', 'items']
/** Between two groups of changes of a lane: a target of 30 kB/s for each partition must keep up. */
const pauseMs = 200
/** Records that must arrive before the next harm. */
const recordsBetween = 60
/** For anything to come: a safety net, and not what is tested. */
const limitMs = 600_000

/**
 * A whole daemon with a preset, through a proxy that behaves as the target does, while connections end and the daemon is
 * killed; judged by the judge of the fault tests. Rejects where something never comes.
 */
export async function runPreset({ preset, uri, brokers, seed, kills }: PresetRunOptions): Promise<PresetRunReport> {
  const name = `pr${crypto.randomUUID().slice(0, 8)}`
  // Connections end while records flow, and not by the clock: on a slow machine none would live long enough.
  const { closeAfterMs: _, ...behaviour } = behaviours[preset]
  await using proxy = await KafkaProxy.open({ brokers, ...behaviour })
  await using writer = new Writer({ uri, database: name, collections, seed })
  const { journal } = writer
  writer.pauseMs = pauseMs
  await writer.create()
  const arrivals = new Arrivals()
  const see = (topic: string, partition: number, record: FetchedRecord) =>
    arrivals.add(topic, partition, withMetadata(record))
  const topics = collections.map(collection => `${name}.${collection}`)
  await using tail = new Tail({ brokers, topics, see })
  await using daemons = new AsyncDisposableStack()
  const plans: string[] = []
  const start = async () => {
    const daemon = daemons.use(await Daemon.start(configOf(name, preset, uri, proxy.brokers)))
    const reads = () => (daemon.output.includes('reading changes') ? true : undefined)
    await eventually(reads, () => `a start: ${daemon.output}`, limitMs)
    plans.push(/target: [^"]*/.exec(daemon.output)?.[0] ?? '')
    return daemon
  }
  let daemon = await start()
  const more = async () => {
    const enough = arrivals.seen.length + recordsBetween
    const isThere = () => (arrivals.seen.length >= enough ? true : undefined)
    await eventually(isThere, () => `${recordsBetween} more records: ${daemon.output.slice(-3_000)}`, limitMs)
  }
  writer.start()
  for (let kill = 0; kill < kills; kill++) {
    await more()
    proxy.drop()
    await more()
    await daemon.stop('SIGKILL')
    const before = changesOf(journal)
    await eventually(() => (changesOf(journal) > before ? true : undefined), 'a change that nobody reads', limitMs)
    daemon = await start()
  }
  await more()
  await writer.stop()
  const isAllThere = () => (arrivals.missing(journal) === undefined ? true : undefined)
  await eventually(isAllThere, () => `${arrivals.missing(journal)}: ${daemon.output.slice(-3_000)}`, limitMs)
  const exit = await daemon.stop('SIGTERM')
  await tail.caughtUp(limitMs)
  const duplicates = plans.every(plan => plan.includes('delivery: exactly-once')) ? 'none' : 'suffix'
  const verdict = judge({ journal, seen: arrivals.seen, state: await writer.state(), duplicates })
  return { ...verdict, changes: changesOf(journal), plans, exit, refused: proxy.refusals + proxy.met.refused }
}

function configOf(name: string, preset: PresetName, uri: string, brokers: readonly string[]): string {
  const compression = preset === 'event-hubs' ? 'gzip' : 'none' // The reader knows no other.
  const store = presets[preset].checkpoints
    ? '{ store: kafka }'
    : `{ store: mongodb, uri: "${uri}", database: ${name}_state }`
  return `
name: ${name}
mongodb: { uri: "${uri}" }
sink: { preset: ${preset}, brokers: ${JSON.stringify(brokers)}, producer: { compression: ${compression} } }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
checkpoint: ${store}
pipelines:
  - name: all
    source: { collections: [${name}.*] }
    partitions: ${partitions}
    onError: fail
`
}

/** Where the target has no headers, what they say stands in the value. */
function withMetadata(record: FetchedRecord): FetchedRecord {
  if (record.headers['m2k.source'] !== undefined) return record
  const { m2k } = JSON.parse(String(record.value)) as { m2k: { readonly source: string; readonly position: string } }
  const headers = { 'm2k.source': Buffer.from(m2k.source), 'm2k.position': Buffer.from(m2k.position, 'hex') }
  return { ...record, headers }
}
