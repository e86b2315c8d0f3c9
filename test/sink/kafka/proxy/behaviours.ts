import type { PresetName } from '../../../../src/preset.ts'
import type { ProducerSettings } from '../../../../src/sink/kafka/settings.ts'
import { type ProxyOptions, transactionApis } from './proxy.ts'

const apis = { produce: 0, fetch: 1, metadata: 3, describeConfigs: 32 }
const megabyte = 1_000_000

/** How each kind of target behaves, as far as it differs from the Kafka behind the proxy. */
export const behaviours: Readonly<Record<PresetName, Omit<ProxyOptions, 'brokers'>>> = {
  kafka: {},
  'oci-streaming': {
    refused: [...transactionApis, apis.describeConfigs],
    versions: { [apis.produce]: 5, [apis.fetch]: 4, [apis.metadata]: 5 },
    requestLimitBytes: 1 << 20,
    closeAfterMs: 6_000,
    produce: { headers: 'refuse', codecs: [0], partitionBytesPerSecond: megabyte, beyond: 'error' },
  },
  'oci-kafka': { closeAfterMs: 6_000 },
  'event-hubs': {
    refused: [24, 25, 26, 28],
    requestLimitBytes: 1_046_528,
    closeAfterMs: 6_000,
    produce: { codecs: [0, 1], partitionBytesPerSecond: megabyte, beyond: 'throttle' },
  },
  msk: { closeAfterMs: 6_000, produce: { partitionBytesPerSecond: 5 * megabyte, beyond: 'throttle' } },
  redpanda: { versions: { [apis.produce]: 8, [apis.metadata]: 8 } },
  'confluent-cloud': {
    closeAfterMs: 6_000,
    produce: { partitionBytesPerSecond: 30_000, beyond: 'throttle' },
  },
}

/** What is sent to them, where that is not `none`. */
export const compressions: Partial<Record<PresetName, ProducerSettings['compression']>> = {
  'event-hubs': 'gzip',
  msk: 'lz4',
}
