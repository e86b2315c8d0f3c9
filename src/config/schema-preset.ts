import type { Schema } from './json-schema.ts'

/** What kind of target it is: its facts are in src/preset.ts, and docs/targets.md explains them. */
export const presetSchema = {
  type: 'string',
  description:
    'The kind of target, whose limits are then kept; docs/targets.md says what each one means. What the target can do is asked all the same.',
  enum: ['kafka', 'oci-streaming', 'oci-kafka', 'event-hubs', 'msk', 'redpanda', 'confluent-cloud'],
  default: 'kafka',
} as const satisfies Schema

export const probeTopicSchema = {
  type: 'string',
  description:
    'An existing topic of its own for a round trip at each start, by which headers and compression are found out where nobody documents them; absent: nothing is written, and what is not documented is not used.',
  maxLength: 249,
  pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._-]+$',
  'x-expected': 'a topic name of letters, digits, dots, underscores and hyphens',
} as const satisfies Schema
