import type { Schema } from './json-schema.ts'
import { duration } from './schema-units.ts'

export const workersSchema = {
  type: 'object',
  description: 'How the work is shared out among the daemons of this deployment.',
  additionalProperties: false,
  default: {},
  properties: {
    slots: {
      type: 'integer',
      description:
        'Upper bound of scale-out: every document belongs to the slot that its _id hashes to. Fixed at the first start.',
      minimum: 1,
      maximum: 1024,
      default: 1,
    },
    coordination: {
      type: 'string',
      description:
        "`none`: this daemon is alone and has all slots. `kafka`: Kafka's group protocol shares them out; workers come and go. `static`: by number, as a StatefulSet numbers its pods.",
      enum: ['none', 'kafka', 'static'],
      default: 'none',
    },
    ordinal: {
      type: 'integer',
      description: "This worker's number from 0, for `static`; absent: the number that the host's name ends with.",
      minimum: 0,
      maximum: 1023,
    },
    replicas: {
      type: 'integer',
      description: 'How many workers there are, for `static`, which needs it.',
      minimum: 1,
      maximum: 1024,
    },
    sessionTimeout: {
      ...duration,
      description:
        'For `kafka`: a worker that is not heard of for this long loses its slots to the others. The brokers bound it by group.min.session.timeout.ms and group.max.session.timeout.ms.',
      'x-range': ['1s', '30m'],
      default: '10s',
    },
  },
} as const satisfies Schema
