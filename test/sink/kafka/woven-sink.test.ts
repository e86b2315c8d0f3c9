import { describe, expect, it } from 'vitest'
import { PoisonEvent, type RefusedRecord } from '../../../src/errors.ts'
import type { OutRecord, Records } from '../../../src/record.ts'
import { outRecord, packRecords } from '../../../src/record-headers.ts'
import { digestOf } from '../../../src/sink/kafka/producer/refusals.ts'
import { WovenSink, WovenTransactionalSink } from '../../../src/sink/kafka/woven-sink.ts'
import type { TransactionalSink } from '../../../src/sink/sink.ts'
import { never, record } from './fixture.ts'

const headers = {
  'm2k.op': 'd',
  'm2k.source': 's/p/0',
  'm2k.position': Buffer.of(1, 255),
  'm2k.ts': '5',
  'm2k.doc': 'none',
}

class Kept implements TransactionalSink {
  readonly capabilities = { headers: false, idempotence: true, transactions: true }
  readonly sent: OutRecord[] = []
  readonly committed: Records[] = []
  disposed = 0
  /** What a send waits for before it settles. */
  gate: Promise<void> = Promise.resolve()

  async partitions(): Promise<number> {
    return 7
  }

  async send(records: Records): Promise<void> {
    for (let i = 0; i < records.count; i++) this.sent.push(outRecord(records, i))
    await this.gate
  }

  async commit(also: Records): Promise<void> {
    this.committed.push(also)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed += 1
  }
}

it('puts what the headers say into the value; a tombstone stays a null value', async () => {
  const kept = new Kept()
  const sink = new WovenSink(kept)
  const deleted = { ...record('t', 3, '{"operationType":"delete"}'), headers }
  await sink.send(packRecords([deleted, { ...deleted, value: null }]), never)
  const m2k = { op: 'd', source: 's/p/0', position: '01ff', ts: 5, doc: 'none' }
  expect(kept.sent).toMatchObject([
    { topic: 't', partition: 3, key: deleted.key, headers: {}, timestampMs: deleted.timestampMs },
    { topic: 't', partition: 3, key: deleted.key, headers: {}, value: null },
  ])
  expect(JSON.parse(String(kept.sent[0]?.value))).toEqual({ m2k, operationType: 'delete' })
})

it('leaves records without headers alone, and refuses values that cannot hold them', async () => {
  const kept = new Kept()
  const sink = new WovenSink(kept)
  await sink.send(packRecords([record('t', 0, 'plain')]), never)
  expect(kept.sent.map(({ value }) => String(value))).toEqual(['plain'])
  const sent = sink.send(packRecords([{ ...record('t', 0, 'plain'), headers }]), never)
  await expect(sent).rejects.toMatchObject({ name: 'Configuration' })
})

it('refuses in its place, and sends and commits nothing behind what it has refused (G2)', async () => {
  const kept = new Kept()
  const gate = Promise.withResolvers<void>()
  kept.gate = gate.promise
  const sink = new WovenTransactionalSink(kept)
  const order: string[] = []
  const note = (name: string) => () => void order.push(name)
  const good = () => packRecords([{ ...record('t', 0, '{}'), headers }])
  const before = sink.send(good(), never).then(note('before'))
  const refused = sink.send(packRecords([{ ...record('t', 0, 'plain'), headers }]), never).catch(note('refused'))
  const behind = sink.send(good(), never).catch(note('behind'))
  const commit = sink.commit(good(), never).catch(note('commit'))
  gate.resolve()
  await Promise.all([before, refused, behind, commit])
  expect(order).toEqual(['before', 'refused', 'behind', 'commit'])
  expect(kept.sent).toHaveLength(1)
  expect(kept.committed).toEqual([])
})

describe('a refused tombstone', () => {
  const tombstone = (key: string, at: number, partition = 3): OutRecord => {
    return { ...record('t', partition, null, key), headers: { ...headers, 'm2k.position': Buffer.of(at, 0) } }
  }
  /** What the sink says when one with this key was refused, in partition 3. */
  const refusal = (key: string) => {
    const place = { topic: 't', partition: 3, keyBytes: key.length, position: undefined }
    const refused: RefusedRecord = { ...place, keyDigest: digestOf(Buffer.from(key)) }
    return new PoisonEvent('SINK_RECORD_TOO_LARGE', 'too large', { record: refused })
  }

  /** Sends each list of records; what the first of them is rejected with. */
  async function sendAll(fault: Error, ...lists: OutRecord[][]): Promise<unknown> {
    const kept = new Kept()
    const gate = Promise.withResolvers<void>()
    kept.gate = gate.promise
    const sink = new WovenSink(kept)
    const [first] = lists.map(list => sink.send(packRecords(list), never).catch((error: unknown) => error))
    gate.reject(fault)
    return await first
  }

  it('is named by the position that its event had, which a null value cannot hold', async () => {
    const others = [tombstone('k1', 1), tombstone('k2', 2, 4), tombstone('longer', 3)]
    const fault = await sendAll(refusal('k2'), others, [record('t', 3, '{}'), tombstone('k2', 4), tombstone('k2', 5)])
    expect(fault).toMatchObject({ name: 'PoisonEvent', code: 'SINK_RECORD_TOO_LARGE', message: 'too large' })
    expect(fault).toMatchObject({ record: { topic: 't', partition: 3, keyBytes: 2, position: Buffer.of(4, 0) } })
  })

  it('stays unnamed where no such one is under way', async () => {
    const fault = refusal('other')
    expect(await sendAll(fault, [tombstone('k1', 1)])).toBe(fault)
    const gone = new Error('gone')
    expect(await sendAll(gone, [tombstone('k1', 1)])).toBe(gone)
  })

  it('is forgotten once it has arrived', async () => {
    const kept = new Kept()
    const sink = new WovenSink(kept)
    await sink.send(packRecords([tombstone('k1', 1)]), never)
    const fault = refusal('k1')
    kept.gate = Promise.reject(fault)
    await expect(sink.send(packRecords([record('t', 3, '{}')]), never)).rejects.toBe(fault)
  })
})

it('is the sink behind it in all else', async () => {
  const kept = new Kept()
  const sink = new WovenTransactionalSink(kept)
  expect(await sink.partitions('t', { partitions: 1, replication: 1, config: {} }, never)).toBe(7)
  const also = packRecords([record('checkpoints', 0, 'as it is')])
  await sink.commit(also, never)
  expect(kept.committed).toEqual([also])
  expect(sink.capabilities).toBe(kept.capabilities)
  await sink[Symbol.asyncDispose]()
  expect(kept.disposed).toBe(1)
})
