import { transactionApis } from './proxy.ts'

const apis = { produce: 0, fetch: 1, metadata: 3 }

/** As OCI Streaming is documented, and where nothing is documented, as strict as it could be: without headers too. */
export const strictTarget = {
  refused: transactionApis,
  versions: { [apis.produce]: 5, [apis.fetch]: 4, [apis.metadata]: 5 },
  requestLimitBytes: 1 << 20,
  produce: { headers: 'refuse', codecs: [0], partitionBytesPerSecond: 1_000_000, beyond: 'error' },
} as const
