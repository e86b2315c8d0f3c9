import { type LogEntry, logLevel } from 'kafkajs'
import { expect, it } from 'vitest'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { type LogFields, type Logger, silentLogger } from '../../../src/log.ts'
import { clientLog } from '../../../src/sink/kafka/client-log.ts'

function entry(namespace: string, level: logLevel, extra: object = {}): LogEntry {
  return { namespace, level, label: '', log: { timestamp: '', message: 'broken', ...extra } }
}

it('passes one line a part and half a minute, counts the others, and tells of repeated sends', () => {
  let nowMs = 0
  const clock: Clock = { ...systemClock, nowMs: () => nowMs, monotonicMs: () => nowMs }
  const lines: LogFields[] = []
  const log: Logger = { ...silentLogger, warn: fields => lines.push(fields) }
  let retries = 0
  const write = clientLog(log, clock, () => {
    retries += 1
  })(logLevel.WARN)
  for (let i = 0; i < 1_000; i += 1) write(entry('Connection', logLevel.ERROR, { broker: 'b:1' }))
  write(entry('Producer', logLevel.ERROR, { retryCount: 0 }))
  write(entry('Producer', logLevel.ERROR, { retryCount: 1 }))
  write(entry('Admin', logLevel.INFO))
  expect(lines).toEqual([
    { part: 'Connection', broker: 'b:1', suppressed: 0 },
    { part: 'Producer', broker: undefined, suppressed: 0 },
  ])
  expect(retries).toBe(2)
  nowMs = 30_000
  write(entry('Connection', logLevel.WARN, { broker: 'b:1' }))
  expect(lines.at(-1)).toEqual({ part: 'Connection', broker: 'b:1', suppressed: 999 })
})
