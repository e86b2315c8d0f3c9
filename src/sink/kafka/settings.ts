import type { Admission } from './login/admission.ts'
import type { Login } from './login/login.ts'
import type { Tls } from './login/tls.ts'
import type { Compression } from './record-batch/compression.ts'

/** Which library speaks to Kafka; `auto`: the first that the cluster is new enough for. */
export type ClientChoice = 'auto' | 'platformatic' | 'kafkajs'

/** How to reach one Kafka cluster. */
export interface KafkaSettings {
  /** Bootstrap addresses, `host:port`. */
  readonly brokers: readonly string[]
  /** Shown in the brokers' logs and quotas. */
  readonly clientId: string
  /** undefined: no TLS. */
  readonly tls?: Tls | undefined
  /** undefined: no SASL. */
  readonly login?: Login | undefined
  /** One for all that is opened to this cluster. undefined: a refused login is final, at any time. */
  readonly admission?: Admission | undefined
}

/** Limits of one producer. */
export interface ProducerSettings {
  readonly compression: Compression
  /** How long a record may wait for others to travel with, milliseconds. */
  readonly lingerMs: number
  /** Finished size of one produce request, overhead included; at least 1 KiB of it is kept free in each batch. */
  readonly batchBytes: number
  /** Records queued and unacknowledged in one sink; more is a fault of the caller, who has a window. */
  readonly queueLimitBytes: number
  /** How long one batch may stay unacknowledged, kafkajs's own retries included, before the sink gives up. */
  readonly deliveryTimeoutMs: number
  /** After so long Kafka aborts a transaction that was not ended; until then its readers may have to wait for it. */
  readonly transactionTimeoutMs: number
  /**
   * Records of one partition after which the producer is exchanged for one with a new producer id. kafkajs counts
   * sequence numbers wrongly at 2^31 and from then on every send fails.
   */
  readonly recordsPerProducer: number
}

export const defaultProducerSettings: ProducerSettings = {
  compression: 'none',
  lingerMs: 5,
  batchBytes: 1 << 20,
  queueLimitBytes: 256 << 20,
  deliveryTimeoutMs: 60_000,
  transactionTimeoutMs: 10_000,
  recordsPerProducer: 2 ** 30,
}
