/**
 * Reads a topic and tells when each record came, and which `sentUs` its writer had put into the document. A child
 * process of the bench. Both clocks are CLOCK_MONOTONIC, which all processes of a machine share.
 */
import { createRequire } from 'node:module'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { decompressFrameSync } from 'lz4-napi'
import { jobOf, send } from './child.ts'
import type { Arrival } from './latencies.ts'

export interface ConsumerJob {
  readonly brokers: string
  readonly topic: string
  /** Ends after this many records that carry `sentUs` … */
  readonly count: number
  /** … or this long after the start. */
  readonly limitS: number
  /** What was sent in the first seconds is counted and not measured: a JVM compiles its code meanwhile, and so do we. */
  readonly warmUpS: number
}

export interface Arrivals {
  readonly count: number
  /** Without those of the warm-up. */
  readonly measured: readonly Arrival[]
}

/** An ES module cannot import this one by name. */
const { CompressionCodecs } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs')

/** In plain and in Extended JSON, and in JSON that is a string inside JSON. */
const sentPattern = /sentUs\\?"\s*:\s*(?:\{\s*\\?"\$numberLong\\?"\s*:\s*)?\\?"?(\d+)/

async function main({ brokers, topic, count, limitS, warmUpS }: ConsumerJob): Promise<void> {
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: () => Promise.reject(new Error('nothing is written here')),
    decompress: async (bytes: Buffer) => decompressFrameSync(bytes),
  })
  const kafka = new Kafka({ clientId: 'bench', brokers: [brokers], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: `bench-${process.pid}-${Date.now()}`, maxWaitTimeInMs: 5, minBytes: 1 })
  const measured: Arrival[] = []
  let [seen, measuredFromUs] = [0, 0]
  const all = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const nowUs = Number(process.hrtime.bigint() / 1_000n)
      for (const { value } of batch.messages) {
        const sent = sentPattern.exec(value?.toString() ?? '')?.[1]
        if (sent === undefined) {
          await send({ ready: true }) // A probe from before: we have joined, and read.
          continue
        }
        seen++
        const sentUs = Number(sent)
        measuredFromUs ||= sentUs + warmUpS * 1e6
        if (sentUs >= measuredFromUs) measured.push([sentUs, nowUs])
      }
      if (seen >= count) all.resolve()
    },
  })
  await Promise.race([all.promise, new Promise(resolve => setTimeout(resolve, limitS * 1_000))])
  await send<Arrivals>({ result: { count: seen, measured } })
}

// kafkajs arms timers with negative waits; Node warns of each such process, and there is nothing to do about it.
process.removeAllListeners('warning')
await main(jobOf<ConsumerJob>())
