import { expect, test } from 'vitest'
import { PoisonEvent } from '../../../src/errors.ts'
import type { Records } from '../../../src/record.ts'
import { packRecords } from '../../../src/record-headers.ts'
import { SizeGuard } from '../../../src/sink/kafka/size-guard.ts'
import type { Sink } from '../../../src/sink/sink.ts'
import { never, record, spec } from './fixture.ts'

class ManualSink implements Sink {
  readonly capabilities = { headers: true, idempotence: false, transactions: false }
  readonly calls: { readonly records: Records; readonly outcome: PromiseWithResolvers<void> }[] = []
  disposed = false
  partitions = async () => 3
  send(records: Records): Promise<void> {
    const outcome = Promise.withResolvers<void>()
    this.calls.push({ records, outcome })
    return outcome.promise
  }
  async [Symbol.asyncDispose]() {
    this.disposed = true
  }
}

const small = packRecords([record('t', 0, 'small')])
const large = packRecords([record('t', 0, 'fits'), record('t', 2, 'x'.repeat(10_000), 'key')])

test('a record that no request can carry is refused after what was sent before it, and ends the sink', async () => {
  const inner = new ManualSink()
  const guard = new SizeGuard(inner, 10_000)
  expect(await guard.partitions('t', spec(3), never)).toBe(3)
  const order: string[] = []
  const first = guard.send(small, never).then(() => order.push('first'))
  const refused = guard.send(large, never).catch((error: unknown) => {
    order.push('refused')
    return error
  })
  const after = guard.send(small, never).catch((error: unknown) => error)
  inner.calls[0]?.outcome.resolve()
  await first
  const error = await refused
  expect(order).toEqual(['first', 'refused'])
  expect(error).toBeInstanceOf(PoisonEvent)
  expect(error).toMatchObject({ code: 'SINK_RECORD_TOO_LARGE', record: { topic: 't', partition: 2, keyBytes: 3 } })
  expect(await after).toBe(error)
  expect(inner.calls).toHaveLength(1)
  await guard[Symbol.asyncDispose]()
  expect(inner.disposed).toBe(true)
})

test('what the sink says about the others is passed on', async () => {
  const inner = new ManualSink()
  const guard = new SizeGuard(inner, 10_000)
  const sent = guard.send(small, never)
  inner.calls[0]?.outcome.reject(new Error('gone'))
  await expect(sent).rejects.toThrow('gone')
  await expect(guard.send(large, never)).rejects.toBeInstanceOf(PoisonEvent)
})
