import { Kafka, logLevel } from 'kafkajs'
import { describe, expect, inject, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { Retryable } from '../../../src/errors.ts'
import { silentLogger } from '../../../src/log.ts'
import { silentMeter } from '../../../src/meter.ts'
import { type PresetName, presets } from '../../../src/preset.ts'
import { defaultProducerSettings } from '../../../src/sink/kafka/settings.ts'
import { createKafkaTarget, type KafkaTarget } from '../../../src/sink/kafka/target.ts'
import { createTopic } from './create-topic.ts'
import { freshTopic, never, plain, settingsFor, spec } from './fixture.ts'
import { KafkaProxy, type ProxyOptions, transactionApis } from './proxy/proxy.ts'
import { type TopicRules, topicsKeeper } from './proxy/topics-door.ts'

const brokers = inject('kafkaBrokers')
const apis = { createTopics: 19, createPartitions: 37 }
const errors = { topicAuthorizationFailed: 29, invalidConfig: 40, invalidRequest: 42, policyViolation: 44 }
const partitions = 3

/** Refuses topics that are compacted, and those alone. */
const uncompacted: TopicRules = {
  errorOf: config => (config.get('cleanup.policy') === 'compact' ? errors.invalidConfig : undefined),
}

async function withAdmin<T>(work: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

async function newTopic(): Promise<string> {
  const topic = freshTopic('asked')
  await withAdmin(admin => createTopic(admin, { topic, numPartitions: partitions }))
  return topic
}

interface Asked {
  readonly preset?: PresetName
  readonly rules?: TopicRules
  readonly proxy?: Partial<ProxyOptions>
  readonly probeTopic?: string
  readonly askedTopic?: string
  /** Default: any text will do. */
  readonly answered?: string
}

/**
 * Has a target ask through a proxy that keeps `rules`; then `look` at both. Asks again where `answered` is not in the text:
 * on a busy machine a question may get no answer in its time, which says nothing.
 */
async function asking<T>(
  { preset = 'kafka', rules = {}, proxy: how = {}, askedTopic = freshTopic('never-made'), ...asked }: Asked,
  look: (target: KafkaTarget, proxy: KafkaProxy) => T | Promise<T>,
): Promise<T> {
  const { probeTopic, answered = '' } = asked
  for (;;) {
    await using proxy = await KafkaProxy.open({ brokers, keeper: () => topicsKeeper(rules), ...how })
    await using target = createKafkaTarget({
      settings: settingsFor(proxy.brokers),
      client: 'auto',
      preset: presets[preset],
      ...{ probeTopic, askedTopic, producer: defaultProducerSettings },
      ...{ clock: systemClock, log: silentLogger, meter: silentMeter },
    })
    const failure: unknown = await target.check(never).catch((error: unknown) => error)
    if (failure !== undefined && !(failure instanceof Retryable)) throw failure
    if (failure === undefined && target.plan.topics.text.includes(answered)) return await look(target, proxy)
  }
}

const topicsOf = (asked: Asked) => asking(asked, ({ plan }) => plan.topics)

describe('what topics can be is asked of the target', () => {
  test('Kafka says that they can all of it, and nothing is made or changed by asking', async () => {
    const [probeTopic, askedTopic] = [await newTopic(), freshTopic('never-made')]
    const topics = await topicsOf({
      probeTopic,
      askedTopic,
      answered: '(asked) and can be given more partitions (asked)',
    })
    expect(topics).toEqual({
      compaction: true,
      growing: true,
      text: 'topics can be compacted (asked) and can be given more partitions (asked)',
    })
    const metadata = await withAdmin(admin => admin.fetchTopicMetadata())
    expect(metadata.topics.map(({ name }) => name)).not.toContain(askedTopic)
    expect(metadata.topics.find(({ name }) => name === probeTopic)?.partitions).toHaveLength(partitions)
  })

  test('a target that refuses compacted topics alone has none, and says what to do where one is asked for', async () => {
    await asking({ rules: uncompacted, answered: 'compacted (asked)' }, async target => {
      expect(target.plan.topics).toMatchObject({
        compaction: false,
        text: expect.stringContaining('cannot be compacted (asked)'),
      })
      await using sink = await target.open(plain('p'), never)
      const compacted = sink.partitions(freshTopic('compacted'), spec(1, { 'cleanup.policy': 'compact' }), never)
      await expect(compacted).rejects.toMatchObject({
        name: 'Configuration',
        code: 'SINK_UNSUPPORTED',
        message: expect.stringMatching(/does not compact topics: leave topicConfig cleanup\.policy out/),
      })
      expect(await sink.partitions(freshTopic('deleted'), spec(2), never)).toBe(2)
    })
  })

  test.each([
    ['who may create nothing', { errorOf: () => errors.topicAuthorizationFailed }],
    ['a target that refuses every topic', { errorOf: () => errors.policyViolation }],
  ])('%s learns nothing: it is as the preset says', async (_, rules) => {
    expect(await topicsOf({ rules })).toMatchObject({
      compaction: true,
      text: expect.stringContaining('can be compacted (as Apache Kafka is known)'),
    })
  })

  test('a topic that exists tells nothing about others', async () => {
    const askedTopic = await newTopic()
    const { text } = await topicsOf({ askedTopic })
    expect(text).toContain('can be compacted (as Apache Kafka is known)')
  })

  test('more partitions: refused for good is no, a missing right is no answer, without a topic nobody is asked', async () => {
    const probeTopic = await newTopic()
    const growingBy = (growingError: number) => topicsOf({ probeTopic, rules: { growingError } })
    const rules = { growingError: errors.invalidRequest }
    expect(await topicsOf({ probeTopic, rules, answered: 'partitions (asked)' })).toMatchObject({ growing: false })
    const known = 'can be given more partitions (as Apache Kafka is known)'
    expect((await growingBy(errors.topicAuthorizationFailed)).text).toContain(known)
    expect((await topicsOf({})).text).toContain(known)
  })

  test('what lists no CreatePartitions adds none', async () => {
    const topics = await topicsOf({ proxy: { refused: [apis.createPartitions] } })
    expect(topics).toMatchObject({ growing: false, text: expect.stringContaining('it does not list CreatePartitions') })
  })

  test.each(['oci-streaming', 'event-hubs'] as const)('%s, which might make a topic, is not asked', async preset => {
    const proxy = { refused: transactionApis, produce: {} }
    await asking({ preset, proxy }, ({ plan }, { passed }) => {
      const { compaction, growingTopics, title } = presets[preset]
      expect(plan.topics).toMatchObject({ compaction, growing: growingTopics })
      expect(plan.topics.text).toContain(`(as ${title} is known)`)
      expect([passed.get(apis.createTopics), passed.get(apis.createPartitions)]).toEqual([undefined, undefined])
    })
  })
})
