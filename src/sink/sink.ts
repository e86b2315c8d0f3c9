import type { Records } from '../record.ts'

/** How to create a topic that does not exist; an existing one keeps its settings. */
export interface TopicSpec {
  /** undefined: the broker's default. */
  readonly partitions: number | undefined
  /** undefined: the broker's default. */
  readonly replication: number | undefined
  /** Topic configuration entries of Kafka, such as cleanup.policy. */
  readonly config: Readonly<Record<string, string>>
}

/** Whether Kafka takes `text` as the name of a topic. */
export function isTopicName(text: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..'
}

/** What a target can do; the encoders and the deliveries follow it. */
export interface Capabilities {
  readonly headers: boolean
  readonly idempotence: boolean
  readonly transactions: boolean
}

/** How one sink is opened. */
export interface SinkRequest {
  readonly pipeline: string
  /** Fences every earlier sink of the same id, where the target can; undefined: nobody is fenced. */
  readonly transactionalId: string | undefined
  /** Records are sent in transactions; else the id fences only. */
  readonly transactions: boolean
}

/** The way out for one pipeline. Owns one producer; two pipelines never wait for each other's topics. */
export interface Sink extends AsyncDisposable {
  readonly capabilities: Capabilities
  /** Makes sure that `topic` exists and resolves to its number of partitions. Throws Configuration or Retryable. */
  partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number>
  /**
   * Settles when all in-sync replicas have every record. Takes what it needs of `records` before it returns: their
   * owner uses them again. Calls are carried out in the order they were made; records
   * of one partition arrive in order, without loss or duplicate while the sink lives. After a rejection the sink
   * takes no more records: dispose it and make a new one, from the last checkpoint. Aborting `signal` cancels what
   * is not on the wire yet. Throws Retryable, PoisonEvent, Fenced or Configuration.
   */
  send(records: Records, signal: AbortSignal): Promise<void>
}

/** A sink whose records consumers see together with the checkpoint, or never (G4). */
export interface TransactionalSink extends Sink {
  /**
   * Commits the records of every `send` before, and `also`, as one transaction. Sends after it wait for its end and
   * belong to the next one. After a rejection the sink takes no more, and whether that transaction was committed is
   * unknown: open a successor, which settles it one way or the other, and load the checkpoint only then.
   */
  commit(also: Records, signal: AbortSignal): Promise<void>
}
