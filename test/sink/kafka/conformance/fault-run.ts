import type { KafkaMessage } from 'kafkajs'
import { systemClock } from '../../../../src/clock.ts'
import { silentLogger } from '../../../../src/log.ts'
import { type CounterName, type Meter, silentMeter } from '../../../../src/meter.ts'
import type { BrokerCluster, BrokerNode } from '../../../../src/services/services.ts'
import { defaultProducerSettings } from '../../../../src/sink/kafka/settings.ts'
import { createKafkaTarget, type KafkaTarget } from '../../../../src/sink/kafka/target.ts'
import { freshTopic, never, plain, settingsFor } from '../fixture.ts'
import { readToEnd } from '../read-to-end.ts'
import type { Carrier } from './carriers.ts'
import { type FaultKind, inflict, type Scene } from './faults.ts'
import { Judge, type Verdict } from './judge.ts'
import { Load, placeOf } from './load.ts'
import { settle } from './until.ts'

/** Small batches: several of each partition are on the wire after every fault. */
const batchBytes = 8 << 10
const deliveryTimeoutMs = 120_000

export interface Report extends Verdict {
  readonly carrier: Carrier
  readonly faults: number
  /** Requests or batches that were sent again, as `sink_retries_total` counts them: 0 where no fault met any. */
  readonly retries: number
  /** Why sinks ended, one line each. */
  readonly ends: readonly string[]
}

type OnFault = (kind: FaultKind, node: BrokerNode) => void

interface Side {
  readonly carrier: Carrier
  readonly topics: readonly string[]
  readonly loads: readonly Load[]
  readonly retries: RetryMeter
}

/** Counts what was sent again. */
class RetryMeter implements Meter {
  retries = 0
  count(name: CounterName): void {
    if (name === 'sink_retries_total') this.retries += 1
  }
  gauge = silentMeter.gauge
  observe = silentMeter.observe
}

function targetOver(client: Carrier, brokers: readonly string[], meter: Meter): KafkaTarget {
  const producer = { ...defaultProducerSettings, batchBytes, deliveryTimeoutMs }
  return createKafkaTarget({
    client,
    settings: settingsFor(brokers),
    producer,
    clock: systemClock,
    log: silentLogger,
    meter,
  })
}

/** Two pipelines of each carrier on two topics that both write to, while `kinds` happen to one node after the other. */
export async function faultRun(
  cluster: BrokerCluster,
  carriers: readonly Carrier[],
  kinds: readonly FaultKind[],
  onFault: OnFault = () => {},
): Promise<Report[]> {
  await using stack = new AsyncDisposableStack()
  const sides = carriers.map(carrier => {
    const retries = new RetryMeter()
    const target = stack.use(targetOver(carrier, cluster.brokers, retries))
    const topics = [freshTopic(`${carrier}-a`), freshTopic(`${carrier}-b`)]
    const loads = ['p', 'q'].map(pipeline => new Load(pipeline, topics, () => target.open(plain(pipeline), never)))
    return { carrier, topics, loads, retries }
  })
  const loads = sides.flatMap(side => side.loads)
  const stop = new AbortController()
  const scene = { cluster, loads, topics: sides.flatMap(side => side.topics) }
  const schedule = inflictAll(scene, kinds, onFault).finally(() => stop.abort())
  await settle([...loads.map(load => load.run(stop.signal)), schedule])
  const reports: Report[] = []
  for (const side of sides) reports.push(await judge(cluster, side, kinds.length))
  return reports
}

async function inflictAll(scene: Scene, kinds: readonly FaultKind[], onFault: OnFault): Promise<void> {
  await Promise.all(scene.loads.map(load => load.progress()))
  for (const [i, kind] of kinds.entries()) {
    const node = scene.cluster.nodes[i % scene.cluster.nodes.length]!
    onFault(kind, node)
    await inflict(kind, node, scene)
  }
}

async function judge(
  cluster: BrokerCluster,
  { carrier, topics, loads, retries }: Side,
  faults: number,
): Promise<Report> {
  const judge = new Judge(new Map(loads.flatMap(load => [...load.expected])))
  const see = (topic: string, partition: number, { key, value }: KafkaMessage) =>
    judge.see(placeOf(topic, partition, String(key)), Number.parseInt(String(value), 10))
  await readToEnd(cluster.brokers, topics, see, { uncommitted: true })
  const ends = loads.flatMap(load => load.ends)
  return { carrier, faults, ...judge.verdict, retries: retries.retries, ends }
}
