import type { Clock } from '../../clock.ts'
import { Configuration } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { OutRecord } from '../../record.ts'
import { packHeaders } from '../../record-headers.ts'
import { KafkajsProducer } from './kafkajs/partition-producer.ts'
import { PartitionReader } from './reading/partition-reader.ts'
import type { KafkaSettings, ProducerSettings } from './settings.ts'

/** Compresses well, so that a compressed batch is not sent as it is for being smaller. */
const fillingBytes = 2_000

export interface RoundTripOptions {
  readonly settings: KafkaSettings
  readonly producer: ProducerSettings
  readonly clock: Clock
  readonly log: Logger
}

/** What came back of what was sent. */
export interface RoundTrip {
  /** Headers were taken and were there again. */
  readonly headers: boolean
  /** A batch in the configured compression was taken and could be read; true for none. */
  readonly compression: boolean
}

/**
 * Sends up to three records to partition 0 of `topic`, which exists for this alone, and reads them back: a bare one,
 * one with a header, and one in the configured compression. What is refused although the bare one passed is what the
 * target cannot do. Throws Configuration or Retryable where not even the bare one comes back.
 */
export async function roundTrip(options: RoundTripOptions, topic: string, signal: AbortSignal): Promise<RoundTrip> {
  const { settings, clock, producer } = options
  await using reader = new PartitionReader({ settings, clock })
  const from = await reader.offset(topic, 0, 'latest', signal)
  const mark = `m2k-probe-${Math.floor(clock.random() * 2 ** 48).toString(16)}`
  const { compression } = producer
  await send(options, 'none', probe(topic, `${mark}-bare`), signal)
  const headed = { ...probe(topic, `${mark}-headers`), headers: { 'm2k.probe': mark } }
  const tookHeaders = await isTaken(options, 'none', headed, signal)
  const tookCompressed =
    compression === 'none' || (await isTaken(options, compression, probe(topic, `${mark}-compressed`), signal))

  const seen = new Map<string, Buffer>()
  for await (const records of reader.readPartition(topic, 0, from, { isolation: 'read_uncommitted' }, signal)) {
    for (const { key, headers } of records) if (key !== null) seen.set(key.toString(), Buffer.from(headers))
  }
  if (!seen.has(`${mark}-bare`)) {
    throw new Configuration('SINK_REJECTED', `sink.probeTopic: what was sent to ${topic} is not there`)
  }
  return {
    headers: tookHeaders && seen.get(`${mark}-headers`)?.equals(packHeaders(headed.headers)) === true,
    compression: compression === 'none' || (tookCompressed && seen.has(`${mark}-compressed`)),
  }
}

function probe(topic: string, key: string): OutRecord {
  const value = Buffer.alloc(fillingBytes, 'm2k ')
  return { topic, partition: 0, key: Buffer.from(key), value, headers: {}, timestampMs: 0 }
}

/** With a producer of its own: some targets refuse by closing the connection. */
async function send(
  { settings, producer, clock, log }: RoundTripOptions,
  compression: ProducerSettings['compression'],
  record: OutRecord,
  signal: AbortSignal,
): Promise<void> {
  const limits = { ...producer, compression }
  const shared = { settings, idempotent: false, clock, log, onRetry: () => {} }
  const client = await KafkajsProducer.open({ ...shared, producer: limits }, signal)
  try {
    await client.send(record.topic, record.partition, [{ ...record, timestampMs: clock.nowMs() }])
  } finally {
    await client.close()
  }
}

/**
 * Twice, as a connection may also be lost for nothing. A wrong "no" costs comfort, a wrong "yes" records: so whatever
 * fails twice is a no.
 */
async function isTaken(...[options, compression, record, signal]: Parameters<typeof send>): Promise<boolean> {
  for (let attempt = 1; attempt <= 2; attempt++) {
    try {
      await send(options, compression, record, signal)
      return true
    } catch (error) {
      signal.throwIfAborted()
      options.log.debug({ error, attempt }, 'the round trip: not taken')
    }
  }
  return false
}
