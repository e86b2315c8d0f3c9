/** The ways to Kafka: each must hold what `Sink` promises. */
export const carriers = ['platformatic', 'kafkajs'] as const

export type Carrier = (typeof carriers)[number]
