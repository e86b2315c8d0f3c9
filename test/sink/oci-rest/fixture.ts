import { createPrivateKey, sign } from 'node:crypto'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { untilAborted } from '../../../src/deadline.ts'
import { silentLogger } from '../../../src/log.ts'
import { silentMeter } from '../../../src/meter.ts'
import type { OutRecord } from '../../../src/record.ts'
import { Api } from '../../../src/sink/oci-rest/api.ts'
import { Http } from '../../../src/sink/oci-rest/http.ts'
import { OciRestSink, type OciRestSinkParts } from '../../../src/sink/oci-rest/oci-rest-sink.ts'
import type { Principal } from '../../../src/sink/oci-rest/principal.ts'
import { Streams } from '../../../src/sink/oci-rest/streams.ts'
import { Tails } from '../../../src/sink/oci-rest/tails.ts'
import { readWoven } from '../../../src/sink/woven.ts'
import type { OciServer } from './oci-server.ts'

export const never = new AbortController().signal
export const requestLimitMs = 20_000

/**
 * Time that passes only while somebody sleeps, and then at once. Sleeps of `requestLimitMs` or more are the deadlines of
 * requests: they end with `passDeadlines`.
 */
export class HurriedClock implements Clock {
  #nowMs = Date.now()
  readonly sleptMs: number[] = []
  readonly #deadlines = Promise.withResolvers<void>()
  readonly random = (): number => 0.5

  nowMs(): number {
    return this.#nowMs
  }

  passDeadlines(): void {
    this.#deadlines.resolve()
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms >= requestLimitMs) return await untilAborted(this.#deadlines.promise, signal ?? never)
    const untilMs = this.#nowMs + ms
    this.sleptMs.push(ms)
    await systemClock.sleep(0, signal)
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }
}

/** The user of `server`. */
export function principalOf(server: Pick<OciServer, 'privateKeyPem' | 'keyId'>): Principal & { renewals: number } {
  const key = createPrivateKey(server.privateKeyPem)
  const credentials = { keyId: server.keyId, sign: async (data: Buffer) => sign('RSA-SHA256', data, key) }
  return {
    renewals: 0,
    region: undefined,
    credentials: async () => credentials,
    async refresh() {
      this.renewals += 1
    },
  }
}

export interface Client extends Disposable {
  readonly api: Api
  readonly streams: Streams
  readonly tails: Tails
  readonly principal: ReturnType<typeof principalOf>
  sink(parts?: Partial<OciRestSinkParts>): OciRestSink
}

export function clientOf(server: OciServer, clock: Clock = new HurriedClock()): Client {
  const http = new Http({ clock, limitMs: requestLimitMs, connections: 8 })
  const principal = principalOf(server)
  const api = new Api({ http, principal, clock })
  const options = { api, endpoint: server.endpoint, streamPoolId: server.pool, retentionHours: 24, clock }
  const streams = new Streams({ ...options, log: silentLogger })
  const facts = { pipeline: 'p', api, streams, requests: 3, queueLimitBytes: 64 << 20, clock, meter: silentMeter }
  return {
    api,
    streams,
    principal,
    tails: new Tails({ api, streams, clock, log: silentLogger }),
    sink: parts => new OciRestSink({ ...facts, ...parts }),
    [Symbol.dispose]: () => http[Symbol.dispose](),
  }
}

export const source = 'd/p/0'

/** Record number `n` of the stream, with a position that orders as `n` does. */
export function record(topic: string, key: string, n: number, value: string | null = `{"n":${n}}`): OutRecord {
  const position = Buffer.alloc(13)
  position.writeUInt32BE(1)
  position.writeBigUInt64BE(BigInt(n), 4)
  const headers = { 'm2k.op': 'u', 'm2k.source': source, 'm2k.position': position, 'm2k.ts': '5', 'm2k.doc': 'exact' }
  return {
    topic,
    partition: 0,
    key: Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers,
    timestampMs: 5,
  }
}

/** The numbers of the stored records by key, in the order in which they stand in their partitions. */
export function storedByKey(server: OciServer, topic: string): Map<string, number[]> {
  const byKey = new Map<string, number[]>()
  for (const partition of server.stored(topic)) {
    for (const { key, value } of partition) {
      const name = Buffer.from(key ?? '', 'base64').toString()
      const woven = readWoven(Buffer.from(value, 'base64'))
      if (woven === undefined) continue
      byKey.set(name, [...(byKey.get(name) ?? []), Number(woven.position.readBigUInt64BE(4))])
    }
  }
  return byKey
}
