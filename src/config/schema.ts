import type { Resolved, Schema } from './json-schema.ts'
import { checkpointSchema } from './schema-checkpoint.ts'
import { nameExpected, namePattern, pipelineOptions, pipelineSchema } from './schema-pipeline.ts'
import { sinkSchema } from './schema-sink.ts'
import { duration } from './schema-units.ts'
import { workersSchema } from './schema-workers.ts'
import { sizePattern } from './units.ts'

/** `schema` with nothing required: a half-filled source is fine in `defaults`. */
function optional(schema: Schema): Schema {
  const { required: _, properties, ...rest } = schema
  if (!properties) return rest
  const entries = Object.entries(properties).map(([name, child]) => [name, optional(child)])
  return { ...rest, properties: Object.fromEntries(entries) }
}

const retrySchema = {
  type: 'object',
  description: 'Back-off of a pipeline whose source, sink or store fails for a while.',
  additionalProperties: false,
  default: {},
  properties: {
    initial: { ...duration, description: 'The first wait.', 'x-range': ['1ms', '1h'], default: '500ms' },
    max: { ...duration, description: 'The longest wait.', 'x-range': ['1ms', '1h'], default: '30s' },
  },
} as const satisfies Schema

const adminSchema = {
  type: 'object',
  description: 'The HTTP server for health, metrics and status.',
  additionalProperties: false,
  default: {},
  properties: {
    host: { type: 'string', description: 'Address to listen on.', minLength: 1, default: '127.0.0.1' },
    port: {
      type: 'integer',
      description: 'Port; 0 picks a free one.',
      minimum: 0,
      maximum: 65_535,
      default: 8080,
    },
    token: {
      type: 'string',
      description: 'Bearer token for requests that change something; absent: they are refused.',
      minLength: 1,
      'x-secret': true,
    },
  },
} as const satisfies Schema

/** One duration under a heading of its own. */
function waitSchema<const N extends string, const D extends string>(name: N, description: string, value: D) {
  const setting = { ...duration, description, 'x-range': ['0s', '24h'], default: value } as const
  return {
    type: 'object',
    description,
    additionalProperties: false,
    default: {},
    properties: { [name]: setting } as Readonly<Record<N, typeof setting>>,
  } as const
}

const properties = {
  name: {
    type: 'string',
    description: 'Names this deployment: its checkpoints, transactional ids, worker group and clients.',
    pattern: namePattern,
    maxLength: 100,
    'x-expected': nameExpected,
  },
  revision: {
    type: 'integer',
    description:
      'To be raised with each change of this file where several workers share the pipelines, also to go back to an earlier one: a worker whose revision is lower leaves alone what a later one has begun.',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 0,
  },
  mongodb: {
    type: 'object',
    description: 'Where the changes come from: a replica set or a sharded cluster, MongoDB 6.0 or later.',
    additionalProperties: false,
    required: ['uri'],
    properties: {
      uri: {
        type: 'string',
        description: "MongoDB's connection string.",
        pattern: '^mongodb(\\+srv)?://.',
        'x-expected': 'a connection string that begins with mongodb:// or mongodb+srv://',
        'x-secret': true,
      },
    },
  },
  sink: sinkSchema,
  delivery: {
    type: 'string',
    description:
      'What consumers can rely on. `exactly-once` needs a Kafka with transactions and `checkpoint.store: kafka`; absent: exactly-once where both are there, else at-least-once. The log says which, and why.',
    enum: ['at-least-once', 'exactly-once'],
  },
  checkpoint: checkpointSchema,
  workers: workersSchema,
  startup: waitSchema('wait', 'How long an absent MongoDB or Kafka is waited for at the start.', '60s'),
  shutdown: waitSchema('drain', 'How long a stop waits for what the sink already holds.', '20s'),
  limits: {
    type: 'object',
    description: 'Bounds of a pipeline.',
    additionalProperties: false,
    default: {},
    properties: {
      inFlightBytes: {
        type: 'string',
        description: 'Records of one pipeline that are not acknowledged yet; the source is not asked for more.',
        pattern: sizePattern,
        'x-expected': 'a size with its unit, such as 512KiB, 1MiB or 1MB',
        'x-unit': 'size',
        'x-range': ['64KiB', '4GiB'],
        default: '16MiB',
      },
    },
  },
  retry: retrySchema,
  admin: adminSchema,
  log: {
    type: 'object',
    description: 'The log, on stderr.',
    additionalProperties: false,
    default: {},
    properties: {
      level: {
        type: 'string',
        description: 'The least severe lines that are written.',
        enum: ['debug', 'info', 'warn', 'error'],
        default: 'info',
      },
      format: { type: 'string', description: 'One JSON object a line.', enum: ['json'], default: 'json' },
    },
  },
  defaults: optional({
    type: 'object',
    description: 'Options of every pipeline that does not set them itself; merged key by key, lists replaced.',
    additionalProperties: false,
    properties: pipelineOptions,
  }),
  pipelines: {
    type: 'array',
    description: 'The pipelines, at least one.',
    minItems: 1,
    maxItems: 1000,
    items: pipelineSchema,
  },
} as const satisfies Readonly<Record<string, Schema>>

/** The one source of the configuration's types, validation, defaults, environment variables and documentation. */
export const configSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'mongo2kafka',
  type: 'object',
  additionalProperties: false,
  required: ['name', 'mongodb', 'pipelines'],
  properties,
} as const

type SinkSchema = typeof sinkSchema
type PipelineSchema = typeof pipelineSchema
/** TLS as the sink needs it: absent where it is off. */
export type TlsConfig = Exclude<Resolved<SinkSchema['properties']['tls']>, boolean>
export type SinkConfig = Omit<Resolved<SinkSchema>, 'tls'> & { readonly tls: TlsConfig | undefined }
export type PipelineConfig = Omit<Resolved<PipelineSchema>, 'topicConfig' | 'key'> & {
  readonly key: {
    readonly fields: 'documentKey' | readonly string[]
    readonly format: Resolved<PipelineSchema>['key']['format']
  }
  /** Entries of Kafka as the text that Kafka takes. */
  readonly topicConfig: {
    readonly replication: number | undefined
    readonly config: Readonly<Record<string, string>>
  }
}

/** The resolved configuration, deep-frozen: `defaults` merged in, units gone, secrets hidden. */
export type Config = Omit<Resolved<typeof configSchema>, 'defaults' | 'sink' | 'pipelines'> & {
  readonly sink: SinkConfig
  readonly pipelines: readonly PipelineConfig[]
}
