import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { OutRecord } from '../../src/record.ts'
import { packRecords } from '../../src/record-headers.ts'
import { StdoutSink } from '../../src/sink/stdout.ts'

const never = new AbortController().signal

function record(value: string | null, headers: OutRecord['headers'] = {}): OutRecord {
  const body = value === null ? null : Buffer.from(value)
  return { topic: 't', partition: 2, key: Buffer.from('"k"'), value: body, headers, timestampMs: 5 }
}

/** A reader that takes one chunk each time it is told to. */
class SlowReader extends Writable {
  readonly chunks: string[] = []
  #next: (() => void) | undefined

  constructor() {
    super({ highWaterMark: 10, decodeStrings: false })
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.chunks.push(chunk)
    this.#next = done
  }

  take(): void {
    const next = this.#next
    this.#next = undefined
    next?.()
  }
}

describe('the stdout sink', () => {
  it('writes a line a record, with headers as text or hex and null for a tombstone', async () => {
    const stream = new PassThrough()
    await using sink = new StdoutSink(stream)
    expect(await sink.partitions('t', { partitions: 3, replication: undefined, config: {} }, never)).toBe(3)
    await sink.send(
      packRecords([record('a\nb', { 'm2k.op': 'c', 'm2k.position': Buffer.of(0, 255) }), record(null)]),
      never,
    )
    const lines = String(stream.read()).trimEnd().split('\n')
    expect(lines.map(line => JSON.parse(line))).toEqual([
      {
        topic: 't',
        partition: 2,
        key: '"k"',
        value: 'a\nb',
        headers: { 'm2k.op': 'c', 'm2k.position': '00ff' },
        timestampMs: 5,
      },
      { topic: 't', partition: 2, key: '"k"', value: null, headers: {}, timestampMs: 5 },
    ])
  })

  it('waits for a slow reader, and keeps the order of its calls', async () => {
    const stream = new SlowReader()
    await using sink = new StdoutSink(stream)
    const sent = [
      sink.send(packRecords([record('1'), record('2'), record('3')]), never),
      sink.send(packRecords([record('4')]), never),
    ]
    await new Promise(resolve => setImmediate(resolve))
    expect(stream.chunks).toHaveLength(1)
    expect(stream.writableLength).toBeLessThan(300)
    const pump = setInterval(() => stream.take(), 1)
    await Promise.all(sent)
    clearInterval(pump)
    const values = stream.chunks.filter(chunk => chunk.length > 0).map(line => JSON.parse(line).value)
    expect(values).toEqual(['1', '2', '3', '4'])
  })

  it('ends where nobody reads any more, and stays ended', async () => {
    const stream = new PassThrough({ highWaterMark: 10 })
    await using sink = new StdoutSink(stream)
    const sent = sink.send(packRecords([record('1'), record('2')]), never)
    stream.destroy(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }))
    await expect(sent).rejects.toMatchObject({ name: 'Configuration', code: 'SINK_REJECTED' })
    await expect(sink.send(packRecords([record('3')]), never)).rejects.toMatchObject({ code: 'SINK_REJECTED' })
  })

  it('ends at an abort while it waits', async () => {
    const stream = new SlowReader()
    await using sink = new StdoutSink(stream)
    const stop = new AbortController()
    const sent = sink.send(packRecords([record('1'), record('2')]), stop.signal)
    const behind = sink.send(packRecords([record('3')]), never)
    stop.abort(new Error('stopping'))
    await expect(sent).rejects.toThrow('stopping')
    await expect(behind).rejects.toThrow('stopping')
  })
})
