import type { Admin } from 'kafkajs'
import type { Clock } from '../../clock.ts'
import { withDeadline } from '../../deadline.ts'
import { Retryable } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { type Client, createClient } from './client.ts'
import type { KafkaSettings } from './settings.ts'

const sessionLimitMs = 45_000

export interface AdminOptions {
  readonly settings: KafkaSettings
  readonly log: Logger
  readonly clock: Clock
}

/**
 * Runs `work` with an admin client of its own, for at most 45 s. Not shared and kept: questions are rare, brokers
 * close idle connections, and kafkajs's metadata of a kept client is old. Errors are passed on as kafkajs throws them,
 * the end of time as Retryable.
 */
export async function withAdmin<T>(
  options: AdminOptions,
  signal: AbortSignal,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const client: Client = createClient({ ...options, patience: 'once' })
  const admin = client.kafka.admin()
  const session = async () => {
    try {
      await admin.connect()
      return await work(admin)
    } finally {
      await admin.disconnect()
    }
  }
  try {
    return await withDeadline(session(), {
      limitMs: sessionLimitMs,
      late: () => new Retryable('SINK_UNAVAILABLE', `Kafka did not answer within ${sessionLimitMs / 1000} s`),
      clock: options.clock,
      signal,
      onEnd: () => client.cut('the admin client was given up'),
    })
  } finally {
    client.cut('the admin client is done')
  }
}
