import { systemClock } from '../../../../src/clock.ts'
import { fetchRequest } from '../../../../src/sink/kafka/protocol/fetch.ts'
import { LeaderConnections } from '../../../../src/sink/kafka/reading/leader-connections.ts'
import { recordBatches } from '../../../../src/sink/kafka/reading/record-batches.ts'
import { at } from '../../../../src/sink/kafka/record-batch/layout.ts'
import { never, settingsFor } from '../fixture.ts'

const limitBytes = 4 << 20
const abortType = 0
const milliseconds = { from: 11, to: 23 } as const

/**
 * The batches of those who ever wrote a value that begins with `prefix`, uncommitted ones and the marks of transactions
 * too, one line each: whoever asks what went wrong with a transaction needs offset, producer epoch and sequence.
 */
export async function rawLog(
  brokers: readonly string[],
  topic: string,
  partition: number,
  prefix: string,
): Promise<string[]> {
  const settings = { kafka: settingsFor(brokers), connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }
  await using connections = new LeaderConnections(settings, systemClock)
  const producers = new Set<bigint>()
  const lines: string[] = []
  for (let offset = 0n; ; ) {
    const request = fetchRequest({ topic, partition, offset, isolation: 'read_uncommitted', limitBytes }, 10)
    const { partition: fetched } = await connections.askLeader(topic, partition, request, never)
    if (fetched === undefined || fetched.records.length === 0) {
      const { errorCode, highWatermark, lastStableOffset } = fetched ?? {}
      return [...lines, `high watermark ${highWatermark}, last stable offset ${lastStableOffset}, error ${errorCode}`]
    }
    let header = fetched.records
    for (const batch of recordBatches(fetched.records)) {
      const records = batch.records()
      if (records.some(({ value }) => String(value).startsWith(prefix))) producers.add(batch.producerId)
      const text = batch.isControl ? markOf(records[0]?.key) : records.map(({ value }) => String(value)).join()
      const time = new Date(records[0]?.timestampMs ?? 0).toISOString().slice(milliseconds.from, milliseconds.to)
      const line = `${batch.baseOffset}: producer ${batch.producerId}, ${numbersOf(header)}, ${time}, ${text}`
      if (producers.has(batch.producerId)) lines.push(line)
      header = header.subarray(at.partitionLeaderEpoch + header.readInt32BE(at.batchLength))
      offset = batch.lastOffset + 1n
    }
  }
}

function numbersOf(header: Buffer): string {
  const leaderEpoch = header.readInt32BE(at.partitionLeaderEpoch)
  const epoch = header.readInt16BE(at.producerEpoch)
  return `epoch ${epoch}, sequence ${header.readInt32BE(at.baseSequence)}, leader epoch ${leaderEpoch}`
}

function markOf(key: Buffer | null | undefined): string {
  return key?.readInt16BE(2) === abortType ? 'ABORT' : 'COMMIT'
}

/** Of `lines` those that `isSuspect` finds and the last one, each with four lines before it and after it. */
export function around(lines: readonly string[], isSuspect: (line: string) => boolean): string[] {
  const places = lines.flatMap((line, at) => (isSuspect(line) || at === lines.length - 1 ? [at] : []))
  return lines.filter((_, at) => places.some(place => Math.abs(place - at) <= 4))
}
