import { Configuration } from '../../errors.ts'
import type { Preset } from '../../preset.ts'
import type { Capabilities } from '../sink.ts'
import type { TopicAnswers } from './capabilities.ts'
import { pacedBatchBytes } from './pacing.ts'
import type { RoundTrip } from './round-trip.ts'
import type { ClientChoice, ProducerSettings } from './settings.ts'
import type { WireSupport } from './wire-platformatic.ts'

/** Produce versions from which record batches carry headers (KIP-82), and may be compressed by zstd (KIP-110). */
const headersSince = 3
const zstdSince = 7

/** What the configuration asks for. */
export interface Wishes {
  readonly client: ClientChoice
  readonly compression: ProducerSettings['compression']
  readonly batchBytes: number
}

/** What the target said and did when it was asked. */
export interface Probed {
  readonly support: WireSupport
  /** Asked for a producer id, it refused for good, although it lists InitProducerId. */
  readonly refusesProducerIds: boolean
  /** undefined: no topic for it was configured. */
  readonly roundTrip: RoundTrip | undefined
  /** What it said of its topics. */
  readonly topics: TopicAnswers
}

/** What topics of a target can be. */
export interface TopicPlan {
  readonly compaction: boolean
  readonly growing: boolean
  /** The same for people, with who says so. */
  readonly text: string
}

/** How records are produced to one target. */
export interface ProducingPlan {
  readonly client: Exclude<ClientChoice, 'auto'>
  readonly capabilities: Capabilities
  readonly topics: TopicPlan
  /** Bound of a record batch, and of a request. */
  readonly batchBytes: number
  /** A record beyond it can never pass; undefined: the topic's own limit alone counts. */
  readonly recordLimitBytes: number | undefined
  /** What a partition is given in a second; undefined: as much as it takes. */
  readonly partitionBytesPerSecond: number | undefined
  /** Why it is not all that one could wish for, in words; empty where nothing is missing. */
  readonly because: readonly string[]
}

/** Pure. Throws Configuration SINK_UNSUPPORTED where what was asked for cannot be had, naming the alternative. */
export function planProducing(preset: Preset, wishes: Wishes, probed: Probed): ProducingPlan {
  const { support } = probed
  const because: string[] = []
  const idempotence = hasIdempotence(preset, probed, because)
  const client = chooseClient(preset, wishes.client, support, idempotence)
  checkCompression(preset, wishes.compression, probed)
  const transactions = hasTransactions(preset, support, client, idempotence, because)
  const headers = hasHeaders(preset, probed, because)
  const { requestLimitBytes, partitionBytesPerSecond } = preset
  const batchBytes = Math.min(
    wishes.batchBytes,
    requestLimitBytes ?? Number.POSITIVE_INFINITY,
    partitionBytesPerSecond === undefined ? Number.POSITIVE_INFINITY : pacedBatchBytes(partitionBytesPerSecond),
  )
  if (partitionBytesPerSecond !== undefined) {
    because.push(`a partition takes ${megabytes(partitionBytesPerSecond)} MB/s, so bytes are paced`)
  }
  const capabilities = { headers, idempotence, transactions }
  const topics = planTopics(preset, probed)
  const limits = { batchBytes, recordLimitBytes: requestLimitBytes, partitionBytesPerSecond }
  return { client, capabilities, topics, ...limits, because }
}

function planTopics(preset: Preset, { support, topics }: Probed): TopicPlan {
  const compaction = topics.compaction ?? preset.compaction
  const isListed = support.addsPartitions || !preset.growingTopics
  const growing = topics.growing ?? (preset.growingTopics && isListed)
  const sourceOf = (answer: boolean | undefined) => (answer === undefined ? `as ${preset.title} is known` : 'asked')
  const whyGrowing = isListed ? sourceOf(topics.growing) : 'it does not list CreatePartitions'
  const can = (is: boolean) => (is ? 'can' : 'cannot')
  const text = `topics ${can(compaction)} be compacted (${sourceOf(topics.compaction)}) and ${can(growing)} be given more partitions (${whyGrowing})`
  return { compaction, growing, text }
}

function hasIdempotence({ title, idempotence }: Preset, probed: Probed, because: string[]): boolean {
  if (!idempotence) because.push(`${title} has no idempotent producers`)
  else if (!probed.support.idempotence)
    because.push('it does not list InitProducerId, so it has no idempotent producers')
  else if (probed.refusesProducerIds) because.push('it lists InitProducerId and refuses it')
  else return true
  return false
}

function chooseClient(
  { title, client }: Preset,
  wish: ClientChoice,
  { producing }: WireSupport,
  idempotence: boolean,
): ProducingPlan['client'] {
  const isNew = client === 'auto' && producing && idempotence
  if (wish === 'platformatic' && !isNew) {
    const message = `sink.client platformatic needs Produce 8, Metadata 8 and InitProducerId 1 (Kafka 2.4), which ${title} does not offer here: set sink.client: auto`
    throw new Configuration('SINK_UNSUPPORTED', message)
  }
  return wish === 'kafkajs' || !isNew ? 'kafkajs' : 'platformatic'
}

function checkCompression(preset: Preset, wish: Wishes['compression'], { support, roundTrip }: Probed): void {
  const { title, compressions, unlistedCompressions } = preset
  const setting = `sink.producer.compression ${wish}`
  if (wish === 'zstd' && support.produceVersion < zstdSince) {
    const message = `${setting} needs Produce version 7 (Kafka 2.1); the target speaks ${support.produceVersion}: set lz4 or none`
    throw new Configuration('SINK_UNSUPPORTED', message)
  }
  if (roundTrip?.compression === false) {
    const message = `${setting}: the target refused a batch that was compressed so: set none`
    throw new Configuration('SINK_UNSUPPORTED', message)
  }
  if (compressions.includes(wish) || (unlistedCompressions && roundTrip?.compression === true)) return
  const orProbe = unlistedCompressions ? ', or set sink.probeTopic to find out' : ''
  const message = `${title} does not take ${setting}: set ${compressions.join(' or ')}${orProbe}`
  throw new Configuration('SINK_UNSUPPORTED', message)
}

function hasTransactions(
  { title, transactions }: Preset,
  support: WireSupport,
  client: ProducingPlan['client'],
  idempotence: boolean,
  because: string[],
): boolean {
  if (!transactions) because.push(`${title} has no transactions`)
  else if (!support.transactions) because.push('it does not list what transactions need')
  else if (client === 'kafkajs') because.push('records are sent by kafkajs, without transactions')
  else return idempotence
  return false
}

function hasHeaders(preset: Preset, { support, roundTrip }: Probed, because: string[]): boolean {
  const inValue = 'so the metadata goes into the value'
  if (support.produceVersion < headersSince) because.push(`its Produce version has no record headers, ${inValue}`)
  else if (roundTrip?.headers === false) because.push(`record headers did not survive a round trip, ${inValue}`)
  else if (preset.headers !== true && roundTrip === undefined) {
    because.push(`${preset.title} does not say whether it keeps record headers, ${inValue} (sink.probeTopic finds out)`)
  } else return true
  return false
}

function megabytes(bytes: number): string {
  return String(Math.round(bytes / 100_000) / 10)
}
