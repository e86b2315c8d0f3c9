/** Compression of record batches, by Kafka's names. */
export type BatchCompression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export type PresetName = 'kafka' | 'oci-streaming' | 'oci-kafka' | 'event-hubs' | 'msk' | 'redpanda' | 'confluent-cloud'

/**
 * What a kind of target is known to do, before it is asked. A preset only ever takes away: what it grants is still
 * asked of the target. Where each fact comes from, and which nobody has verified, is in docs/targets.md.
 */
export interface Preset {
  readonly name: PresetName
  /** For people. */
  readonly title: string
  /** Which library speaks to it; `auto`: the first that it is new enough for. */
  readonly client: 'auto' | 'kafkajs'
  /** false: not to be had, whatever it lists. */
  readonly idempotence: boolean
  /** false: not to be had, whatever it lists. */
  readonly transactions: boolean
  /** Record headers; undefined: nobody says so, and only a round trip through `sink.probeTopic` can tell. */
  readonly headers: true | undefined
  /** What producers may send. More may work where `unlistedCompressions`; a round trip tells. */
  readonly compressions: readonly BatchCompression[]
  /** Whether a round trip may show that a compression works which is not in the list. */
  readonly unlistedCompressions: boolean
  /** Topics with `cleanup.policy: compact`. */
  readonly compaction: boolean
  /** Whether the topic of checkpoints can have the settings that it needs. */
  readonly checkpoints: boolean
  /** Whether a topic can be given more partitions later. */
  readonly growingTopics: boolean
  /** Whether it is known to create nothing where CreateTopics says `validate_only`, so that it can be asked. */
  readonly validatesTopics: boolean
  /** A longer request is refused, or costs the connection; undefined: the topic's max.message.bytes alone counts. */
  readonly requestLimitBytes: number | undefined
  /** What one partition takes in a second; undefined: no limit of its own. */
  readonly partitionBytesPerSecond: number | undefined
  /** Error codes of Produce by which it says that it is given too much, besides Kafka's own THROTTLING_QUOTA_EXCEEDED. */
  readonly throttleErrors: readonly number[]
}

const policyViolation = 44

const everyCompression: readonly BatchCompression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** All of Apache Kafka. */
const apache = {
  client: 'auto',
  idempotence: true,
  transactions: true,
  headers: true,
  compressions: everyCompression,
  unlistedCompressions: false,
  compaction: true,
  checkpoints: true,
  growingTopics: true,
  validatesTopics: true,
  requestLimitBytes: undefined,
  partitionBytesPerSecond: undefined,
  throttleErrors: [],
} as const

export const presets: Readonly<Record<PresetName, Preset>> = {
  kafka: { ...apache, name: 'kafka', title: 'Apache Kafka' },
  'oci-streaming': {
    name: 'oci-streaming',
    title: 'OCI Streaming',
    client: 'kafkajs',
    idempotence: false,
    transactions: false,
    headers: undefined,
    compressions: ['none'],
    unlistedCompressions: true,
    compaction: false,
    checkpoints: false,
    growingTopics: false,
    validatesTopics: false,
    requestLimitBytes: 1_000_000,
    partitionBytesPerSecond: 1_000_000,
    throttleErrors: [],
  },
  'oci-kafka': { ...apache, name: 'oci-kafka', title: 'OCI Streaming with Apache Kafka' },
  'event-hubs': {
    ...apache,
    name: 'event-hubs',
    title: 'Azure Event Hubs',
    transactions: false,
    compressions: ['none', 'gzip'],
    checkpoints: false,
    validatesTopics: false,
    requestLimitBytes: 1_000_000,
    throttleErrors: [policyViolation],
  },
  msk: { ...apache, name: 'msk', title: 'Amazon MSK' },
  redpanda: { ...apache, name: 'redpanda', title: 'Redpanda' },
  'confluent-cloud': { ...apache, name: 'confluent-cloud', title: 'Confluent Cloud' },
}
