/** A way in which the product can be run, and what it must then keep. */
export interface Mode {
  readonly name: 'at-least-once' | 'exactly-once' | 'workers' | 'files'
  readonly delivery: 'at-least-once' | 'exactly-once'
  readonly daemons: 1 | 2
  readonly slots: number
  /** Where the checkpoints are; default: in Kafka. */
  readonly store?: 'file'
  /** Settings beside those that all modes share, lines of YAML. */
  readonly settings: readonly string[]
}

export const sessionTimeoutMs = 6_000

export const modes: Readonly<Record<Mode['name'], Mode>> = {
  'at-least-once': {
    name: 'at-least-once',
    delivery: 'at-least-once',
    daemons: 1,
    slots: 1,
    settings: ['delivery: at-least-once'],
  },
  'exactly-once': {
    name: 'exactly-once',
    delivery: 'exactly-once',
    daemons: 1,
    slots: 4,
    settings: ['delivery: exactly-once', 'workers: { slots: 4 }'],
  },
  workers: {
    name: 'workers',
    delivery: 'exactly-once',
    daemons: 2,
    slots: 4,
    settings: [
      'delivery: exactly-once',
      `workers: { slots: 4, coordination: kafka, sessionTimeout: ${sessionTimeoutMs}ms }`,
    ],
  },
  files: {
    name: 'files',
    delivery: 'at-least-once',
    daemons: 1,
    slots: 1,
    store: 'file',
    settings: ['delivery: at-least-once'],
  },
}
