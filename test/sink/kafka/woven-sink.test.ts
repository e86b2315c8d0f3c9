import { expect, it } from 'vitest'
import type { OutRecord, Records } from '../../../src/record.ts'
import { outRecord, packRecords } from '../../../src/record-headers.ts'
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

  async partitions(): Promise<number> {
    return 7
  }

  async send(records: Records): Promise<void> {
    for (let i = 0; i < records.count; i++) this.sent.push(outRecord(records, i))
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
