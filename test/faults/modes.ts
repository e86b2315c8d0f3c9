/** A way in which the product can be run, and what it must then keep. */
export interface Mode {
  readonly name:
    | 'at-least-once'
    | 'exactly-once'
    | 'workers'
    | 'workers-at-least-once'
    | 'files'
    | 'mongodb'
    | 'without-transactions'
  readonly delivery: 'at-least-once' | 'exactly-once'
  readonly daemons: 1 | 2
  readonly slots: number
  /** Where the checkpoints are; default: in Kafka. */
  readonly store?: 'file' | 'mongodb'
  /** Whether the target has neither transactions nor idempotent producers, so that a start reads its ends back. */
  readonly isPlain?: true
  /** Settings beside those that all modes share, lines of YAML. */
  readonly settings: readonly string[]
  /** Names the faults that this mode is there for: at least one of them has to meet work. Default: any. */
  readonly own?: RegExp
}

export const sessionTimeoutMs = 6_000

const sharedOut = `coordination: kafka, sessionTimeout: ${sessionTimeoutMs}ms`

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
    own: /commit/,
  },
  workers: {
    name: 'workers',
    delivery: 'exactly-once',
    daemons: 2,
    slots: 4,
    settings: ['delivery: exactly-once', `workers: { slots: 4, ${sharedOut} }`],
    own: /^worker /,
  },
  'workers-at-least-once': {
    name: 'workers-at-least-once',
    delivery: 'at-least-once',
    daemons: 2,
    slots: 4,
    settings: ['delivery: at-least-once', `workers: { slots: 4, ${sharedOut} }`],
    own: /^worker /,
  },
  files: {
    name: 'files',
    delivery: 'at-least-once',
    daemons: 1,
    slots: 1,
    store: 'file',
    settings: ['delivery: at-least-once'],
    own: /^the disk |^a torn /,
  },
  mongodb: {
    name: 'mongodb',
    delivery: 'at-least-once',
    daemons: 1,
    slots: 2,
    store: 'mongodb',
    settings: ['delivery: at-least-once', 'workers: { slots: 2 }'],
    own: /^saves of |^the store of |^the majority |^connections end as /,
  },
  'without-transactions': {
    name: 'without-transactions',
    delivery: 'at-least-once',
    daemons: 1,
    slots: 2,
    store: 'mongodb',
    isPlain: true,
    settings: ['workers: { slots: 2 }'],
  },
}
