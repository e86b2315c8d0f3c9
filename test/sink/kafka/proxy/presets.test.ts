import { describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { silentLogger } from '../../../../src/log.ts'
import { silentMeter } from '../../../../src/meter.ts'
import { type PresetName, presets } from '../../../../src/preset.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { PartitionReader } from '../../../../src/sink/kafka/reading/partition-reader.ts'
import { defaultProducerSettings } from '../../../../src/sink/kafka/settings.ts'
import { createKafkaTarget, type KafkaTarget, type KafkaTargetOptions } from '../../../../src/sink/kafka/target.ts'
import { Judge } from '../conformance/judge.ts'
import { Load, partitions, placeOf } from '../conformance/load.ts'
import { freshTopic, never, plain, record, settingsFor } from '../fixture.ts'
import { behaviours, compressions } from './behaviours.ts'
import { KafkaProxy } from './proxy.ts'

const brokers = inject('kafkaBrokers')
const produceApi = 0

function targetOf(at: readonly string[], preset: PresetName, options: Partial<KafkaTargetOptions> = {}): KafkaTarget {
  return createKafkaTarget({
    settings: settingsFor(at),
    client: 'auto',
    preset: presets[preset],
    producer: { ...defaultProducerSettings, compression: compressions[preset] ?? 'none' },
    clock: systemClock,
    log: silentLogger,
    meter: silentMeter,
    ...options,
  })
}

/** Past the proxy, and whatever it is compressed with. */
async function readBack(topic: string, judge: Judge): Promise<void> {
  await using reader = new PartitionReader({ settings: settingsFor(brokers), clock: systemClock })
  for (let partition = 0; partition < partitions; partition++) {
    for await (const records of reader.readPartition(topic, partition, 0n, { isolation: 'read_uncommitted' }, never)) {
      for (const { key, value } of records) {
        judge.see(placeOf(topic, partition, String(key)), Number.parseInt(String(value), 10))
      }
    }
  }
}

describe('through a proxy that behaves as the target does, while connections end', () => {
  const names = Object.keys(presets) as PresetName[]
  it.each(names)('%s: nothing is lost and the order is kept', { timeout: 120_000 }, async name => {
    await using proxy = await KafkaProxy.open({ brokers, ...behaviours[name] })
    await using target = targetOf(proxy.brokers, name)
    await target.check(never)
    const topic = freshTopic(name)
    const load = new Load('p', [topic], () => target.open(plain('p'), never))
    const stop = new AbortController()
    const run = load.run(stop.signal)
    try {
      for (let cut = 0; cut < 3; cut++) {
        await load.progress()
        proxy.drop()
      }
      await load.progress()
    } finally {
      stop.abort()
      await run
    }
    const judge = new Judge(load.expected)
    await readBack(topic, judge)
    expect(judge.verdict).toMatchObject({ lost: 0, outOfOrder: 0, foreign: 0 })
    expect(judge.verdict.records).toBeGreaterThan(100)
    if (target.capabilities.idempotence) expect(judge.verdict.duplicated).toBe(0)
    expect(proxy.passed.get(produceApi)).toBeGreaterThan(0)
    expect(proxy.refusals).toBe(0)
  })
})

it.each(['oci-streaming', 'event-hubs'] as const)(
  '%s: a record that it would end the connection for is refused here',
  async name => {
    await using proxy = await KafkaProxy.open({ brokers, ...behaviours[name] })
    await using target = targetOf(proxy.brokers, name)
    await target.check(never)
    await using sink = await target.open(plain('p'), never)
    const topic = freshTopic(name)
    await sink.partitions(topic, { partitions: 1, replication: 1, config: {} }, never)
    const sent = sink.send(packRecords([record(topic, 0, 'x'.repeat(990_000))]), never)
    const refused = sink.send(packRecords([record(topic, 0, 'x'.repeat(1_000_000))]), never)
    await expect(refused).rejects.toMatchObject({ name: 'PoisonEvent', code: 'SINK_RECORD_TOO_LARGE' })
    await sent
    expect(proxy.refusals).toBe(0)
  },
)
