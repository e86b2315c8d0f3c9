import type { PreparedBatch } from '../../src/pipeline/pipeline.ts'
import { Position } from '../../src/position.ts'
import { packRecords } from '../../src/record-headers.ts'

/** The first tick of that second. */
export const at = (seconds: number) => Position.ofTime(BigInt(seconds) << 32n)

/** A batch up to `upToSeconds` with one record of a change at `eventSeconds`, or without records. */
export function batch(upToSeconds: number, eventSeconds?: number): PreparedBatch {
  const times = eventSeconds === undefined ? [] : [{ timestampMs: eventSeconds * 1_000, count: 1 }]
  return {
    records: packRecords([]),
    recordCount: times.length,
    position: at(upToSeconds),
    bytes: 10,
    oldestMs: eventSeconds && eventSeconds * 1_000,
    times,
    release() {},
  }
}
