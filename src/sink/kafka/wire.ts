/** A finished record batch on its way to the leader of one partition. */
export interface ProduceBatch {
  readonly topic: string
  readonly partition: number
  /** A whole RecordBatch (magic 2). Must not change until the request that carries it is settled. */
  readonly bytes: Buffer
}

/** What the broker said about one batch. */
export interface ProduceResult {
  readonly topic: string
  readonly partition: number
  /** Kafka's protocol error code; 0: every in-sync replica has the batch. */
  readonly errorCode: number
  /** Offset of the batch's first record, -1 with an error or where the broker no longer knows it. */
  readonly baseOffset: bigint
  /** Indexes within the batch of the records that were refused, where the broker names them. */
  readonly rejected: readonly number[]
}

export interface ProduceAnswer {
  /** One for each batch of the request, in its order. */
  readonly results: readonly ProduceResult[]
  /** How long the broker asks us to wait before the next request, by quota; it may mute the connection itself. */
  readonly throttleMs: number
}

/**
 * One connection to one broker. It is used until it breaks and never mended: `connect` makes another, and whoever
 * used this one decides what to send again.
 */
export interface BrokerConnection {
  readonly nodeId: number
  /**
   * Sends one request with acknowledgement by all in-sync replicas, at most one batch a partition. Requests are on
   * the wire in call order and answered in it. It sends as many as are asked for: how many are outstanding is the
   * caller's choice, and so is the memory they keep.
   *
   * Rejects with a Fault when the connection is gone, when no answer came within the request's limit, or when the
   * answer makes no sense; the connection is then closed for good and every other request of it rejects too.
   * Whether the broker has taken the batches of a rejected request is not known. An error of one partition is no
   * rejection: it is in its result.
   *
   * `transactionalId`: all the batches are in the open transaction of that producer; undefined: they are in none.
   */
  produce(batches: readonly ProduceBatch[], transactionalId?: string): Promise<ProduceAnswer>
  /** Closes at once: outstanding requests reject and no byte is handed to the network any more. Idempotent. */
  close(): void
}

/** Where one topic's partitions are led. */
export interface TopicLeaders {
  readonly topic: string
  /** Kafka's error code about the whole topic (3: there is none of that name); `leaders` is then empty. */
  readonly errorCode: number
  /** Node id of the leader by partition, -1: none at present. */
  readonly leaders: readonly number[]
}

/** What InitProducerId gives an idempotent producer: numbers under which brokers remember its sequences. */
export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** An identity that the coordinator of a transactional id gave: a later one of the same id fences it. */
export interface TransactionalIdentity extends ProducerIdentity {
  readonly transactionalId: string
}

/** What a coordinator knows of a transactional id: the identity that counts, and how its last transaction stands. */
export interface TransactionDescription extends ProducerIdentity {
  /** Kafka's words: Empty, Ongoing, PrepareCommit, CompleteCommit, PrepareAbort, CompleteAbort and a few more. */
  readonly state: string
}

/**
 * One connection to a broker that coordinates transactions, for all who ask it. Requests are on the wire in call order
 * and carried out in it. Each rejects with a Fault whose cause has Kafka's code (classify.ts, protocolCode) where the
 * broker answered with an error; without one the connection is gone, and whether it was carried out is not known.
 */
export interface CoordinatorConnection {
  readonly closed: boolean
  /** Fences every earlier identity of the transactional id and aborts its open transaction. */
  initProducerId(transactionalId: string, transactionTimeoutMs: number): Promise<ProducerIdentity>
  /** Makes the partitions, each at most once, part of the open transaction, or opens one. All or nothing. */
  addPartitions(identity: TransactionalIdentity, partitions: readonly TopicPartition[]): Promise<void>
  /** Resolves when the outcome is durable; readers see it a moment later. */
  endTransaction(identity: TransactionalIdentity, outcome: 'commit' | 'abort'): Promise<void>
  /** Changes nothing. undefined: the broker is older than Kafka 3.0 and cannot be asked. */
  describeTransaction(transactionalId: string): Promise<TransactionDescription | undefined>
  /** Closes at once. Idempotent. */
  close(): void
}

/**
 * One Kafka cluster as the producer needs it. Errors are Faults: Retryable SINK_UNAVAILABLE, Configuration
 * SINK_AUTH_FAILED, SINK_UNAUTHORIZED or SINK_REJECTED (classify.ts); an aborted signal rejects with its reason.
 * Nothing here tries again by itself, except that a bootstrap address that does not answer gives way to the next.
 */
export interface Wire extends AsyncDisposable {
  /** To the broker with that id, at the address that the newest metadata gives it. */
  connect(nodeId: number, signal: AbortSignal): Promise<BrokerConnection>
  /** The leaders of `topics`, in their order, asked anew. No topic is created by asking. */
  leaders(topics: readonly string[], signal: AbortSignal): Promise<readonly TopicLeaders[]>
  /**
   * An identity without transactional id: nobody can fence it. A broker that has just started refuses with a
   * Retryable (code 14, COORDINATOR_LOAD_IN_PROGRESS) until it has a block of ids to give: ask again soon.
   */
  initProducerId(signal: AbortSignal): Promise<ProducerIdentity>
  /** Node id of the broker that coordinates the transactional id's transactions; `coordinate` knows its address. */
  findCoordinator(transactionalId: string, signal: AbortSignal): Promise<number>
  /** A connection to that broker for what is asked of coordinators. */
  coordinate(nodeId: number, signal: AbortSignal): Promise<CoordinatorConnection>
}
