import type { Schema } from './json-schema.ts'
import { duration } from './schema-units.ts'

export const checkpointSchema = {
  type: 'object',
  description: 'Where positions are kept. A position is saved only after its records are acknowledged.',
  additionalProperties: false,
  default: {},
  properties: {
    store: {
      type: 'string',
      description: 'A Kafka topic, a MongoDB collection, or files.',
      enum: ['kafka', 'mongodb', 'file'],
      default: 'kafka',
    },
    topic: {
      type: 'string',
      description: 'Topic of store `kafka`: compacted, created here, a partition a slot.',
      maxLength: 249,
      pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._-]+$',
      'x-expected': 'a topic name of letters, digits, dots, underscores and hyphens',
      'x-default': '`mongo2kafka.NAME.checkpoints`',
    },
    replication: {
      type: 'integer',
      description: "Replication factor of that topic when it is created; absent: the broker's default.",
      minimum: 1,
      maximum: 32_767,
    },
    uri: {
      type: 'string',
      description: "MongoDB's connection string for store `mongodb`, which needs it: the source's, or another's.",
      pattern: '^mongodb(\\+srv)?://.',
      'x-expected': 'a connection string that begins with mongodb:// or mongodb+srv://',
      'x-secret': true,
    },
    database: {
      type: 'string',
      description: 'Database of store `mongodb`.',
      maxLength: 63,
      pattern: '^[^/\\\\. "$*<>:|?]+$',
      'x-expected': 'the name of a database',
      default: 'mongo2kafka',
    },
    collection: {
      type: 'string',
      description: 'Collection of store `mongodb`: a document a pipeline and slot.',
      maxLength: 200,
      pattern: '^(?!system\\.)[^$]+$',
      'x-expected': 'the name of a collection',
      default: 'checkpoints',
    },
    path: {
      type: 'string',
      description: 'Directory of store `file`, which needs it: a file a pipeline.',
      minLength: 1,
    },
    interval: {
      ...duration,
      description:
        'Least time between two saved positions of a pipeline, and at least 10 ms for each pipeline there is; what waits for one counts as in flight, and where that is full, 100 ms are enough.',
      'x-range': ['0ms', '10s'],
      default: '100ms',
    },
  },
} as const satisfies Schema
