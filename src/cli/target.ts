import type { CheckpointStore } from '../checkpoint/checkpoint.ts'
import { openFileCheckpoints } from '../checkpoint/file.ts'
import { lookAtKafkaCheckpoints, openKafkaCheckpoints } from '../checkpoint/kafka.ts'
import { openMongoCheckpoints } from '../checkpoint/mongo.ts'
import { Configuration } from '../errors.ts'
import { presets } from '../preset.ts'
import { faultOf } from '../sink/kafka/classify.ts'
import { createClient } from '../sink/kafka/client.ts'
import { PartitionReader } from '../sink/kafka/reading/partition-reader.ts'
import { Tails } from '../sink/kafka/reading/tails.ts'
import { defaultProducerSettings } from '../sink/kafka/settings.ts'
import { createKafkaTarget, type KafkaTarget } from '../sink/kafka/target.ts'
import { StdoutSink } from '../sink/stdout.ts'
import { sameDeployment } from '../source/source.ts'
import type { Common } from './common.ts'
import { kafkaSettings } from './kafka-settings.ts'
import { openOciTarget } from './oci-target.ts'
import type { Target } from './opened-target.ts'

/** The target that the configuration names, reachable. Throws Retryable or Configuration. */
export async function openTarget(common: Common, signal: AbortSignal): Promise<Target> {
  const { config, clock, log, meter, io } = common
  if (config.sink.type === 'stdout') {
    const capabilities = { headers: true, idempotence: false, transactions: false }
    const about = { title: 'stdout', because: [] }
    return { capabilities, about, open: async () => new StdoutSink(io.stdout), async [Symbol.asyncDispose]() {} }
  }
  if (config.sink.type === 'oci-rest') return await openOciTarget(common, signal)
  const { compression, lingerMs, batchBytes, requestTimeoutMs } = config.sink.producer
  const producer = {
    ...defaultProducerSettings,
    ...{ compression, lingerMs, batchBytes, deliveryTimeoutMs: requestTimeoutMs },
    // The window comes first; this is the sink's own guard behind it.
    queueLimitBytes: Math.max(defaultProducerSettings.queueLimitBytes, 2 * config.limits.inFlightBytes),
  }
  const settings = kafkaSettings(common)
  const { client, probeTopic } = config.sink
  const preset = presets[config.sink.preset]
  const asked = { probeTopic, askedTopic: `mongo2kafka.${config.name}.probe` }
  const target = createKafkaTarget({ settings, client, preset, ...asked, producer, clock, log, meter })
  try {
    await target.check(signal)
    if (!target.capabilities.headers) warnOfTombstones(common)
    return withTailReader(target, preset.title, new PartitionReader({ settings, clock }))
  } catch (error) {
    await target[Symbol.asyncDispose]()
    throw error
  }
}

/** Consumers that drop repeated records by their positions cannot place a record that has none. */
function warnOfTombstones({ config, log }: Common): void {
  const pipelines = config.pipelines.filter(({ tombstones }) => tombstones).map(({ name }) => name)
  if (pipelines.length === 0) return
  const message = `the target has no record headers, so tombstones carry no position, and consumers cannot tell a repeated one: where they drop repeated records, set value.shape: change-event and tombstones: false for ${pipelines.join(', ')}`
  log.warn({ pipelines }, message)
}

/** With transactions there is nothing to read back. */
function withTailReader(target: KafkaTarget, title: string, reader: PartitionReader): Target {
  const { capabilities, plan } = target
  return {
    capabilities,
    about: {
      title: `${title} by ${plan.client}`,
      because: plan.because,
      topics: plan.topics.text,
      partitionBytesPerSecond: plan.partitionBytesPerSecond,
    },
    tailReader: capabilities.transactions ? undefined : new Tails(reader, capabilities.headers),
    open: (request, signal) => target.open(request, signal),
    async [Symbol.asyncDispose]() {
      await target[Symbol.asyncDispose]()
      await reader[Symbol.asyncDispose]()
    },
  }
}

/**
 * The checkpoint store that the configuration names, for positions of `cluster`; undefined: for who only looks, whichever
 * it is, and nothing is created in Kafka. Throws Retryable or Configuration.
 */
export async function openStore(
  common: Common,
  cluster: string | undefined,
  signal: AbortSignal,
): Promise<CheckpointStore> {
  const { config, clock, log } = common
  const { store, path, topic, replication, uri, database, collection } = config.checkpoint
  const { slots } = config.workers
  const saveLimitMs = config.sink.producer.requestTimeoutMs
  if (store === 'file') {
    if (path === undefined) throw new Configuration('CONFIG_INVALID', 'checkpoint.store file needs checkpoint.path')
    return openFileCheckpoints({ directory: path, deployment: config.name })
  }
  const facts = { deployment: config.name, slots, clock, saveLimitMs }
  if (store === 'mongodb') {
    if (!uri) throw new Configuration('CONFIG_INVALID', 'checkpoint.store mongodb needs checkpoint.uri')
    const at = { uri: uri.reveal() }
    return openMongoCheckpoints({ ...facts, at, database, collection, cluster, sameCluster: sameDeployment }, signal)
  }
  const settings = kafkaSettings(common)
  const open = cluster === undefined ? lookAtKafkaCheckpoints : openKafkaCheckpoints
  return open(
    {
      ...facts,
      topic,
      replication,
      cluster: cluster === undefined ? undefined : { identity: cluster, isSame: sameDeployment },
      reader: new PartitionReader({ settings, clock, limits: { leaderWaitMs: saveLimitMs } }),
      connect: patience => createClient({ settings, log, clock, patience }),
      faultOf,
    },
    signal,
  )
}
