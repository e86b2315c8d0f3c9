import type { Config } from '../config/schema.ts'
import { Configuration } from '../errors.ts'
import type { Capabilities } from '../sink/sink.ts'
import type { TargetAbout } from './opened-target.ts'

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
    const message = `delivery exactly-once is not to be had: ${missing.join(', and ')}; set delivery: at-least-once`
    throw new Configuration('DELIVERY_UNSUPPORTED', message)
  }
  if (delivery) return { delivery, because: 'the configuration says so' }
  return missing.length > 0
    ? { delivery: 'at-least-once', because: missing.join(', and ') }
    : { delivery: 'exactly-once', because: 'Kafka has transactions and keeps the checkpoints too' }
}

/** The plan in one line: `target: …, delivery: …, because …`. */
export function planText({ title, because, topics }: TargetAbout, choice: DeliveryChoice): string {
  const reasons = [choice.because, ...because.filter(reason => !choice.because.includes(reason))]
  const ofTopics = topics === undefined ? '' : `; ${topics}`
  return `target: ${title}, delivery: ${choice.delivery}, because ${reasons.join('; ')}${ofTopics}`
}
