import fc from 'fast-check'
import { Retryable } from '../../../src/errors.ts'
import { packRecords } from '../../../src/record-headers.ts'
import { clientOf, HurriedClock, never, record, source, storedByKey } from './fixture.ts'
import type { Behaviour, OciServer, RequestFate } from './oci-server.ts'

/** One run: what is written, and the luck of each request and message, used up one after the other. */
export interface Run {
  readonly partitions: number
  readonly requests: number
  /** Key of each record, in the order of the stream. */
  readonly keys: readonly number[]
  /** Records per call of `send`. */
  readonly batch: number
  readonly requestFates: readonly RequestFate[]
  /** The waits that are named for refused messages, milliseconds; undefined: it is stored. */
  readonly messageFates: readonly (number | undefined)[]
  readonly readFates: readonly ReturnType<NonNullable<Behaviour['read']>>[]
}

const requestFate: fc.Arbitrary<RequestFate> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: fc.constant({ kind: 'throttled', retryAfter: '1' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'throttled' } as const) },
  { weight: 2, arbitrary: fc.boolean().map(isStored => ({ kind: 'reset', isStored }) as const) },
  { weight: 1, arbitrary: fc.boolean().map(isStored => ({ kind: 'error', status: 500, isStored }) as const) },
)
const messageFate = fc.option(fc.integer({ min: 1, max: 900 }), { nil: undefined, freq: 2 })

export const anyRun: fc.Arbitrary<Run> = fc.record({
  partitions: fc.integer({ min: 1, max: 4 }),
  requests: fc.integer({ min: 1, max: 4 }),
  keys: fc.array(fc.nat(6), { minLength: 1, maxLength: 80 }),
  batch: fc.integer({ min: 1, max: 30 }),
  requestFates: fc.array(requestFate, { maxLength: 15 }),
  messageFates: fc.array(messageFate, { maxLength: 60 }),
  readFates: fc.array(fc.constantFrom(undefined, 'throttled' as const, 'empty' as const), { maxLength: 6 }),
})

let streams = 0

/**
 * Writes as a pipeline does: several sends under way, after a failure a new sink, the stream read back, and what it does
 * not have sent again from the first record that was not acknowledged. Returns what is wrong with the stream then.
 */
export async function violationsOf(run: Run, server: OciServer): Promise<string[]> {
  const topic = `run${streams++}`
  server.create(topic, run.partitions)
  const clock = new HurriedClock()
  const violations: string[] = []
  const notBeforeMs = new Map<string, number>()
  server.behaviour = behaviourOf(run, clock, notBeforeMs, violations)
  const records = run.keys.map((key, n) => record(topic, `k${key}`, n, n % 5 === 4 ? null : undefined))
  using client = clientOf(server, clock)
  const ends = await client.tails.ends(topic, run.partitions, never)
  let durable = 0
  for (let attempt = 0; durable < records.length; attempt++) {
    if (attempt > 200) return [`no end: ${durable} of ${records.length}`]
    notBeforeMs.clear() // A new sink knows of no wait; the pipeline's own back-off comes before it.
    await using sink = client.sink({ requests: run.requests })
    await sink.partitions(topic, { partitions: undefined, replication: undefined, config: {} }, never)
    const present = await client.tails.present(topic, ends, source, never)
    const sends: Promise<void>[] = []
    for (let from = durable; from < records.length; from += run.batch) {
      const batch = records.slice(from, from + run.batch)
      const missing = batch.filter(({ headers }) => !present.has(headers['m2k.position']!.toString('latin1')))
      sends.push(missing.length > 0 ? sink.send(packRecords(missing), never) : Promise.resolve())
    }
    const results = await Promise.allSettled(sends)
    for (const result of results) {
      if (result.status === 'fulfilled') durable += run.batch
      else if (result.reason instanceof Retryable) break
      else return [`not to be retried: ${result.reason}`]
    }
  }
  return [...violations, ...wrongWith(run, storedByKey(server, topic))]
}

/** Each key must have its records in order, once each: what a lost answer leaves open is read back, not sent again. */
function wrongWith(run: Run, stored: ReadonlyMap<string, readonly number[]>): string[] {
  const keys = new Set(run.keys)
  return [...keys].flatMap(key => {
    const wanted = run.keys.flatMap((each, n) => (each === key ? [n] : []))
    const found = stored.get(`k${key}`) ?? []
    return String(found) === String(wanted) ? [] : [`key ${key}: ${found} instead of ${wanted}`]
  })
}

function behaviourOf(run: Run, clock: HurriedClock, notBeforeMs: Map<string, number>, violations: string[]): Behaviour {
  const requestFates = [...run.requestFates]
  const messageFates = [...run.messageFates]
  const readFates = [...run.readFates]
  return {
    request: () => requestFates.shift(),
    message: (key, isAnswered) => {
      const nowMs = clock.nowMs()
      if (nowMs < (notBeforeMs.get(key) ?? 0)) violations.push(`key ${key} came before the wait was over`)
      const waitMs = messageFates.shift()
      if (waitMs === undefined) return undefined
      if (isAnswered) notBeforeMs.set(key, nowMs + waitMs)
      return { error: '429', errorMessage: `Request was throttled, next request can be made in ${waitMs} ms` }
    },
    read: () => readFates.shift(),
  }
}
