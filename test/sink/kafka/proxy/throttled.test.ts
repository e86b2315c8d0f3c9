import { expect, inject, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { silentLogger } from '../../../../src/log.ts'
import { type Meter, silentMeter } from '../../../../src/meter.ts'
import { type PresetName, presets } from '../../../../src/preset.ts'
import { PartitionReader } from '../../../../src/sink/kafka/reading/partition-reader.ts'
import { type ClientChoice, defaultProducerSettings } from '../../../../src/sink/kafka/settings.ts'
import { createKafkaTarget } from '../../../../src/sink/kafka/target.ts'
import { Judge } from '../conformance/judge.ts'
import { Load, partitions, placeOf } from '../conformance/load.ts'
import { until } from '../conformance/until.ts'
import { freshTopic, never, plain, settingsFor } from '../fixture.ts'
import type { ProduceRules } from './produce.ts'
import { KafkaProxy, transactionApis } from './proxy.ts'

const brokers = inject('kafkaBrokers')
/** Far less than we give a partition, and than the load sends to one. */
const partitionBytesPerSecond = 1_000
const cuts = 2

interface Case {
  readonly preset: PresetName
  readonly client: ClientChoice
  readonly how: string
  readonly rules: ProduceRules
}

/** Event Hubs says POLICY_VIOLATION where an answer would have to wait longer than its request. */
const cases: readonly Case[] = [
  { preset: 'oci-streaming', client: 'auto', how: 'an error', rules: { beyond: 'error' } },
  { preset: 'event-hubs', client: 'auto', how: 'answers that wait', rules: { beyond: 'throttle' } },
  ...(['auto', 'kafkajs'] as const).map(client => {
    const rules = { beyond: 'throttle', throttleLimitMs: 0 } as const
    return { preset: 'event-hubs', client, how: 'its own error', rules } as const
  }),
]

/** Past the proxy. */
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

it.each(cases)(
  '$preset by $client, throttled below our pacing by $how while connections end: nothing is lost, the order is kept',
  { timeout: 900_000 },
  async ({ preset, client, rules }) => {
    const refused = presets[preset].idempotence ? [24, 25, 26, 28] : transactionApis
    await using proxy = await KafkaProxy.open({ brokers, refused, produce: { partitionBytesPerSecond, ...rules } })
    let throttledSeconds = 0
    const meter: Meter = {
      ...silentMeter,
      count: (name, _labels, by = 1) => {
        if (name === 'sink_throttled_seconds_total') throttledSeconds += by
      },
    }
    await using target = createKafkaTarget({
      settings: settingsFor(proxy.brokers),
      ...{ client, preset: presets[preset], clock: systemClock, log: silentLogger, meter },
      producer: { ...defaultProducerSettings, deliveryTimeoutMs: 200_000 }, // On a slow machine too.
    })
    await target.check(never)
    const topic = freshTopic(preset)
    const load = new Load('p', [topic], () => target.open(plain('p'), never))
    const stop = new AbortController()
    const run = load.run(stop.signal)
    const held = () => proxy.met.throttled + proxy.met.refused
    const isHeld = (times: number) => until(() => held() > times, 'the target throttles')
    try {
      for (let cut = 0; cut < cuts; cut++) {
        await isHeld(held())
        proxy.drop()
        await load.progress()
      }
    } finally {
      stop.abort()
      await run
    }
    const judge = new Judge(load.expected)
    await readBack(topic, judge)
    expect(judge.verdict).toMatchObject({ lost: 0, outOfOrder: 0, foreign: 0 })
    if (target.capabilities.idempotence && load.ends.length === 0) expect(judge.verdict.duplicated).toBe(0)
    // Each cut may end a sink, and so may a machine that is too slow; a refusal none: it is waited for where it came.
    expect(load.ends.filter(why => /quota|policy|code (?:44|89)/i.test(why))).toEqual([])
    expect(throttledSeconds, 'the metrics say so').toBeGreaterThan(0)
  },
)
