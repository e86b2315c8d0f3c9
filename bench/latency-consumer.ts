/**
 * Reads a topic and tells how long each record took from the `sentUs` that its writer put into the document. A child
 * process of the bench. Both clocks are CLOCK_MONOTONIC, which all processes of a machine share.
 */
import { createRequire } from 'node:module'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { decompressFrameSync } from 'lz4-napi'
import { jobOf, send } from './child.ts'
import { quantile } from './statistics.ts'

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

export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
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
  const latenciesMs: number[] = []
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
        if (sentUs >= measuredFromUs) latenciesMs.push((nowUs - sentUs) / 1_000)
      }
      if (seen >= count) all.resolve()
    },
  })
  await Promise.race([all.promise, new Promise(resolve => setTimeout(resolve, limitS * 1_000))])
  latenciesMs.sort((a, b) => a - b)
  const at = (share: number) => quantile(latenciesMs, share)
  const shares = { p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: at(1) }
  await send<Latencies>({ result: { count: seen, ...shares } })
}

// kafkajs arms timers with negative waits; Node warns of each such process, and there is nothing to do about it.
process.removeAllListeners('warning')
await main(jobOf<ConsumerJob>())
