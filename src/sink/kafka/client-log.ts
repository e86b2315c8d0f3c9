import { type LogEntry, type logCreator, logLevel } from 'kafkajs'
import { type Clock, steady } from '../../clock.ts'
import type { Logger } from '../../log.ts'

const quietMs = 30_000

/**
 * kafkajs's log in ours. It writes an error for each attempt of each retry, of each connection: one line a part of
 * the client (a handful of names) and half a minute passes, with the number of those that did not (G7). They are
 * warnings: what really fails is thrown, and logged by whoever catches it. `onRetry` is told of each repeated send.
 */
export function clientLog(log: Logger, given: Clock, onRetry: () => void): logCreator {
  const clock = steady(given)
  const quiet = new Map<string, { untilMs: number; suppressed: number }>()
  return () => (entry: LogEntry) => {
    if (entry.namespace === 'Producer' && typeof entry.log.retryCount === 'number') onRetry()
    if (entry.level > logLevel.WARN) return
    const last = quiet.get(entry.namespace)
    const nowMs = clock.nowMs()
    if (last !== undefined && nowMs < last.untilMs) {
      last.suppressed += 1
      return
    }
    quiet.set(entry.namespace, { untilMs: nowMs + quietMs, suppressed: 0 })
    const { broker, error } = entry.log
    const fields = { part: entry.namespace, broker, error, suppressed: last?.suppressed ?? 0 }
    log.warn(fields, `Kafka client: ${entry.log.message}`)
  }
}
