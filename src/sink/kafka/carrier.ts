import type { OutRecord } from '../../record.ts'

/**
 * What brings a batch to the brokers. The sink gives it one batch at a time and never another after a failure; what
 * happens inside (kafkajs's public producer now, record batches of our own over a connection later) is its own affair.
 */
export interface Carrier {
  /** Settles when all in-sync replicas have every record. Rejects with the client's error or a Fault. */
  send(topics: ReadonlyMap<string, readonly OutRecord[]>): Promise<void>
  /** Ends what is under way: no byte reaches a broker afterwards. Takes at most a few seconds. */
  close(): Promise<void>
}
