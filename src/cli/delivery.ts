import type { Config } from '../config/schema.ts'
import { Configuration } from '../errors.ts'
import type { Capabilities } from '../sink/sink.ts'

export interface DeliveryChoice {
  readonly delivery: 'at-least-once' | 'exactly-once'
  /** In words, to complete "delivery: …, because". */
  readonly because: string
}

/**
 * What the configuration asks for, or the best that target and store can do together. Throws Configuration
 * DELIVERY_UNSUPPORTED where it asks for what they cannot do.
 */
export function chooseDelivery(
  config: Pick<Config, 'delivery' | 'checkpoint'>,
  capabilities: Capabilities,
): DeliveryChoice {
  const { delivery, checkpoint } = config
  const missing = [
    !capabilities.transactions && 'the target has no transactions',
    checkpoint.store !== 'kafka' && `checkpoints are kept in ${checkpoint.store} and not in Kafka`,
  ].filter(text => text !== false)
  if (delivery === 'exactly-once' && missing.length > 0) {
    throw new Configuration('DELIVERY_UNSUPPORTED', `delivery exactly-once is not to be had: ${missing.join(', and ')}`)
  }
  if (delivery) return { delivery, because: 'the configuration says so' }
  return missing.length > 0
    ? { delivery: 'at-least-once', because: missing.join(', and ') }
    : { delivery: 'exactly-once', because: 'Kafka has transactions and keeps the checkpoints too' }
}
