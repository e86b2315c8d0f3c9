import type { Schema } from './json-schema.ts'
import { timePattern } from './units.ts'

export const namePattern = '^[A-Za-z0-9._-]+$'
export const nameExpected = 'letters, digits, dots, underscores and hyphens'

const sourceSchema = {
  type: 'object',
  description: 'What the pipeline reads.',
  additionalProperties: false,
  required: ['collections'],
  properties: {
    collections: {
      type: 'array',
      description: 'Collections: `db.collection`, `db.*` for all of a database, or `/regex/` over `db.collection`.',
      minItems: 1,
      maxItems: 1000,
      items: {
        type: 'string',
        pattern: '^(/.+/|[^/\\\\. "$*]+\\.(\\*|[^$*]+))$',
        'x-expected': 'db.collection, db.* or /regex/',
      },
    },
    filter: {
      type: 'object',
      description:
        'MongoDB match expression on the change event, evaluated by MongoDB. Such a pipeline has its own change stream.',
    },
    snapshot: {
      type: 'string',
      description: 'Whether documents that exist already are copied first.',
      enum: ['never'],
      default: 'never',
    },
    startAt: {
      type: 'string',
      description: 'Where a pipeline without checkpoint begins: `now`, or an ISO 8601 time that the oplog still holds.',
      pattern: timePattern,
      'x-expected': 'now, or an ISO 8601 time such as 2026-01-31T12:00:00Z',
      'x-unit': 'time',
      default: 'now',
    },
    fullDocument: {
      type: 'string',
      description:
        "MongoDB's own modes for the document after an update; `auto` is the most exact that the collection allows: post-image, else a batched lookup.",
      enum: ['default', 'updateLookup', 'whenAvailable', 'required', 'auto'],
      default: 'auto',
    },
    fullDocumentBeforeChange: {
      type: 'string',
      description:
        "MongoDB's own modes for the document before the change; `auto` takes the pre-image where the collection keeps it.",
      enum: ['default', 'whenAvailable', 'required', 'auto'],
      default: 'auto',
    },
    onHistoryLost: {
      type: 'string',
      description: 'What to do when the oplog no longer holds the position.',
      enum: ['fail'],
      default: 'fail',
    },
  },
} as const satisfies Schema

const keySchema = {
  type: 'object',
  description: "The record's key. It alone picks the partition.",
  additionalProperties: false,
  default: {},
  properties: {
    fields: {
      type: ['string', 'array'],
      description:
        'A list of fields (`[_id]`, or fields of the shard key), or `documentKey` for all that MongoDB identifies the document by.',
      pattern: '^documentKey$',
      'x-expected': 'a list of field names, or documentKey',
      minItems: 1,
      maxItems: 32,
      items: { type: 'string', minLength: 1 },
      default: ['_id'],
    },
    format: {
      type: 'string',
      description:
        '`extended-json` is canonical and injective; `string` is the bare text, for collections whose ids have one type.',
      enum: ['extended-json', 'string'],
      default: 'extended-json',
    },
  },
} as const satisfies Schema

const valueSchema = {
  type: 'object',
  description: "The record's value.",
  additionalProperties: false,
  default: {},
  properties: {
    format: {
      type: 'string',
      description: "Plain JSON, or MongoDB's Extended JSON v2, relaxed or canonical.",
      enum: ['json', 'extended-json', 'canonical-json'],
      default: 'json',
    },
    shape: {
      type: 'string',
      description:
        "`change-event` is MongoDB's own; `document` is the document after the change, a delete a tombstone.",
      enum: ['change-event', 'document'],
      default: 'change-event',
    },
  },
} as const satisfies Schema

const choices = ['fail', 'skip', 'dead-letter'] as const

const onErrorSchema = {
  type: 'object',
  description: 'What to do with a change that cannot pass. `onError: fail` is short for both.',
  additionalProperties: false,
  default: {},
  properties: {
    oversize: {
      type: 'string',
      description:
        'A change whose record is larger than the topic takes: stop the pipeline, leave the change out, or send a short record about it to `deadLetterTopic`.',
      enum: choices,
      default: 'dead-letter',
    },
    poison: {
      type: 'string',
      description: 'The same for a change that cannot be encoded, has no valid topic name, or is refused by the sink.',
      enum: choices,
      default: 'dead-letter',
    },
    deadLetterTopic: {
      type: 'string',
      description:
        "Topic of the dead letters; `{topic}` is the change's own topic, `{db}` and `{collection}` where it happened.",
      maxLength: 249,
      pattern: '^(?!\\.{1,2}$)(?!\\{topic\\}$)([A-Za-z0-9._-]|\\{(topic|db|collection)\\})+$',
      'x-expected':
        'a topic name other than {topic} alone, of letters, digits, dots, underscores and hyphens, with {topic}, {db} and {collection} as the only placeholders',
      default: '{topic}.dlq',
    },
  },
} as const satisfies Schema

/** Every option of a pipeline but its name: what `defaults` may hold too. */
export const pipelineOptions = {
  source: sourceSchema,
  topic: {
    type: 'string',
    description: 'Topic of the records; `{db}` and `{collection}` are replaced by where the change happened.',
    maxLength: 249,
    pattern: '^(?!\\.{1,2}$)([A-Za-z0-9._-]|\\{db\\}|\\{collection\\})+$',
    'x-expected':
      'a topic name of letters, digits, dots, underscores and hyphens, with {db} and {collection} as the only placeholders',
    default: '{db}.{collection}',
  },
  partitions: {
    type: 'integer',
    description: "Partitions of topics that are created here; absent: the broker's default.",
    minimum: 1,
    maximum: 10_000,
  },
  topicConfig: {
    type: 'object',
    description:
      'Settings of topics that are created here: `replication`, and any topic configuration entry of Kafka such as `cleanup.policy`.',
    properties: {
      replication: {
        type: 'integer',
        description: "Replication factor; absent: the broker's default.",
        minimum: 1,
        maximum: 32_767,
      },
    },
    additionalProperties: { type: ['string', 'number', 'boolean'] },
    default: {},
  },
  tombstones: {
    type: 'boolean',
    description: 'A delete is followed by a null value, so that a compacted topic forgets the document.',
    'x-default': 'true in shape `document`, where a delete is nothing else; false otherwise',
  },
  key: keySchema,
  value: valueSchema,
  onError: onErrorSchema,
} as const satisfies Readonly<Record<string, Schema>>

export const pipelineSchema = {
  type: 'object',
  description: 'One flow from collections to topics.',
  additionalProperties: false,
  required: ['name', 'source'],
  properties: {
    name: {
      type: 'string',
      description: 'Names the pipeline: in its checkpoint, metrics, commands and environment variables.',
      pattern: namePattern,
      maxLength: 100,
      'x-expected': nameExpected,
    },
    ...pipelineOptions,
  },
} as const satisfies Schema
