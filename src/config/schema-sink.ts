import type { Schema } from './json-schema.ts'
import { ociSchema } from './schema-oci.ts'
import { presetSchema, probeTopicSchema } from './schema-preset.ts'
import { saslSchema } from './schema-sasl.ts'
import { tlsSchema } from './schema-tls.ts'
import { duration } from './schema-units.ts'
import { sizePattern } from './units.ts'

const producerSchema = {
  type: 'object',
  description: 'How records are sent.',
  additionalProperties: false,
  default: {},
  properties: {
    compression: {
      type: 'string',
      description: 'Compression of record batches; `lz4` costs the least CPU. `zstd` needs Kafka 2.1 or newer.',
      enum: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
      default: 'none',
    },
    linger: {
      ...duration,
      description:
        'How long a batch that is not full waits for more records while earlier ones are under way; with nothing under way it is sent at once.',
      'x-range': ['0ms', '10s'],
      default: '5ms',
    },
    batchBytes: {
      type: 'string',
      description: 'Size of a batch at which it is sent.',
      pattern: sizePattern,
      'x-expected': 'a size with its unit, such as 512KiB, 1MiB or 1MB',
      'x-unit': 'size',
      'x-range': ['1KiB', '64MiB'],
      default: '512KiB',
    },
    requestTimeout: {
      ...duration,
      description: 'How long an answer of a broker is waited for.',
      'x-range': ['1s', '10m'],
      default: '30s',
    },
  },
} as const satisfies Schema

export const sinkSchema = {
  type: 'object',
  description: 'Where the records go.',
  additionalProperties: false,
  default: {},
  properties: {
    type: {
      type: 'string',
      description:
        '`oci-rest` is OCI Streaming over its REST API, `stdout` prints records as lines of JSON. Both need a `checkpoint.store` other than `kafka`.',
      enum: ['kafka', 'oci-rest', 'stdout'],
      default: 'kafka',
    },
    preset: presetSchema,
    brokers: {
      type: 'array',
      description: 'Addresses `host:port` to begin with; an entry may hold several, separated by commas.',
      maxItems: 100,
      items: {
        type: 'string',
        pattern: '^\\s*[^\\s,/]+:\\d+\\s*(,\\s*[^\\s,/]+:\\d+\\s*)*$',
        'x-expected': 'host:port, such as localhost:9092',
      },
      default: [],
    },
    clientId: {
      type: 'string',
      description: 'Name of this client in the logs and quotas of Kafka.',
      minLength: 1,
      maxLength: 249,
      'x-default': '`mongo2kafka.NAME`',
    },
    client: {
      type: 'string',
      description:
        'What speaks to Kafka: `platformatic` sends several requests at once and needs Kafka 2.4 or newer, `kafkajs` one at a time, for targets that know old protocol versions only; `auto` asks the target.',
      enum: ['auto', 'platformatic', 'kafkajs'],
      default: 'auto',
    },
    tls: tlsSchema,
    sasl: saslSchema,
    oci: ociSchema,
    producer: producerSchema,
    probeTopic: probeTopicSchema,
  },
} as const satisfies Schema
