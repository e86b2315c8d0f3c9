/**
 * What Kafka's record batches cost: records of about 600 bytes appended to batches of eight partitions, sealed and
 * released, with each codec. Prints CPU seconds (and those of the main thread) and wall-clock seconds per million
 * records, the size on the wire, and for gzip and zstd both the thread pool (several batches at once, as the product
 * does it) and one batch after the other. The least of five rounds counts.
 *
 *     node bench/record-batch.ts
 */
import { setImmediate } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Records } from '../src/record.ts'
import { packRecords } from '../src/record-headers.ts'
import { BufferPool } from '../src/sink/kafka/record-batch/buffer-pool.ts'
import type { Compression } from '../src/sink/kafka/record-batch/compression.ts'
import { RecordBatch } from '../src/sink/kafka/record-batch/record-batch.ts'

const ROUNDS = 5
const REPEATS = 40
const PARTITIONS = 8
const BATCH_LIMIT_BYTES = (1 << 20) - 1024
const IN_FLIGHT = 5

const words = 'ship hold parcel north street order ring twice leave after before corner gift paid open'.split(' ')

/** As the encoder writes them: a change of an order, with its position and operation in the headers. */
function changes(count: number): Records {
  let state = 42
  const chance = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  const text = (length: number): string => Array.from({ length }, () => words[chance(words.length)]).join(' ')
  const hex = (length: number): string => Array.from({ length }, () => chance(16).toString(16)).join('')
  return packRecords(
    Array.from({ length: count }, (_, i) => {
      const id = `6740${hex(20)}`
      const value = JSON.stringify({
        _id: { $oid: id },
        number: i,
        total: `${chance(100_000) / 100}`,
        createdAt: new Date(1_700_000_000_000 + chance(10_000_000)).toISOString(),
        customer: { name: `Ann ${hex(8)}`, email: `${hex(12)}@example.org`, city: 'Zürich', active: i % 2 === 0 },
        items: [
          { sku: `A-${hex(6)}`, quantity: 1 + chance(9), price: chance(10_000) / 100, gift: null },
          { sku: `B-${hex(6)}`, quantity: 1 + chance(9), price: chance(10_000) / 100, gift: null },
        ],
        status: words[chance(words.length)],
        note: text(20),
      })
      return {
        topic: 'shop.orders',
        partition: chance(PARTITIONS),
        key: Buffer.from(`{"$oid":"${id}"}`),
        value: Buffer.from(value),
        headers: { 'm2k.op': i % 3 === 0 ? 'update' : 'insert', 'm2k.position': Buffer.from(hex(32), 'hex') },
        timestampMs: 1_700_000_000_000 + Math.floor(i / 3),
      }
    }),
  )
}

const records = changes(10_000)

/** Appends all records to their partitions' batches; `done` gets a batch that is full or the last. */
function fill(pool: BufferPool, done: (batch: RecordBatch) => void): void {
  const open: (RecordBatch | undefined)[] = []
  for (let i = 0; i < records.count; i++) {
    const partition = records.partitions[i]!
    let batch = open[partition]
    if (batch !== undefined && !batch.fits(records, i, BATCH_LIMIT_BYTES)) {
      done(batch)
      batch = undefined
    }
    batch ??= open[partition] = new RecordBatch(records.topics[i]!, partition, pool)
    batch.append(records, i)
  }
  for (const batch of open) if (batch !== undefined) done(batch)
}

/** Returns the bytes that would be sent. */
async function drain(pool: BufferPool, compression: Compression): Promise<number> {
  let bytes = 0
  const sealing: Promise<void>[] = []
  const filled: RecordBatch[] = []
  fill(pool, batch => filled.push(batch))
  for (const batch of filled) {
    const sealed = batch.seal(1n, 0, 0, compression)
    if (!(sealed instanceof Promise)) {
      bytes += sealed.length
      batch.release()
      continue
    }
    sealing.push(
      sealed.then(({ length }) => {
        bytes += length
        batch.release()
      }),
    )
    if (sealing.length >= IN_FLIGHT) await sealing.shift()
  }
  await Promise.all(sealing)
  return bytes
}

/** The same with a compressor that holds up everything else. */
async function drainHere(pool: BufferPool, compressor: (bytes: Buffer) => Buffer): Promise<number> {
  let bytes = 0
  fill(pool, batch => {
    bytes += compressor(batch.seal(1n, 0, 0, 'none') as Buffer).length
    batch.release()
  })
  return bytes
}

const ways = new Map<string, (pool: BufferPool) => Promise<number>>([
  ['none', pool => drain(pool, 'none')],
  ['lz4', pool => drain(pool, 'lz4')],
  ['snappy', pool => drain(pool, 'snappy')],
  ['zstd, thread pool', pool => drain(pool, 'zstd')],
  ['zstd, main thread', pool => drainHere(pool, zstdCompressSync)],
  ['gzip, thread pool', pool => drain(pool, 'gzip')],
  ['gzip, main thread', pool => drainHere(pool, gzipSync)],
])

interface Cost {
  readonly cpu: number
  readonly mainThread: number
  readonly wall: number
  readonly bytes: number
}

/** CPU seconds of all threads, of the main thread, and wall-clock seconds per million records; bytes per record. */
async function measure(way: (pool: BufferPool) => Promise<number>): Promise<Cost> {
  const repeats = way === ways.get('none') ? REPEATS * 4 : REPEATS / 4
  const pool = new BufferPool()
  const before = process.cpuUsage()
  const threadBefore = process.threadCpuUsage()
  const startMs = performance.now()
  let bytes = 0
  for (let i = 0; i < repeats; i++) {
    bytes += await way(pool)
    await setImmediate() // As between two batches of the source; native memory is freed in such moments.
  }
  const { user, system } = process.cpuUsage(before)
  const thread = process.threadCpuUsage(threadBefore)
  const millions = (repeats * records.count) / 1e6
  return {
    cpu: (user + system) / 1e6 / millions,
    mainThread: (thread.user + thread.system) / 1e6 / millions,
    wall: (performance.now() - startMs) / 1e3 / millions,
    bytes: bytes / (repeats * records.count),
  }
}

const least = new Map<string, Cost>()
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, way] of ways) {
    const cost = await measure(way)
    const before = least.get(name)
    if (round > 0 && (before === undefined || cost.cpu < before.cpu)) least.set(name, cost)
  }
}
const carried = records.starts[records.count]! / records.count
console.log(`${records.count} records of ${Math.round(carried)} bytes, Node ${process.version}`)
for (const [name, { cpu, mainThread, wall, bytes }] of least) {
  const figures = `${cpu.toFixed(2).padStart(6)} CPU s/M (main thread ${mainThread.toFixed(2)})  ${wall.toFixed(2).padStart(6)} wall s/M`
  console.log(`${name.padEnd(20)} ${figures}  ${bytes.toFixed(0).padStart(4)} bytes/record`)
}
console.log(`peak RSS ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`)
