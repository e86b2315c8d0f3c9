import { MongoClient } from 'mongodb'
import { expect, inject, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { chooseOperation, Load } from '../../src/services/load.ts'

it('neither empties a collection nor lets it grow without bound', () => {
  for (let chance = 0; chance < 1; chance += 0.01) {
    expect(chooseOperation(0, chance)).toBe('insert')
    expect(chooseOperation(500, chance)).not.toBe('insert')
  }
  const usual = new Set(Array.from({ length: 100 }, (_, i) => chooseOperation(100, i / 100)))
  expect([...usual].sort()).toEqual(['delete', 'insert', 'replace', 'update'])
})

it('counts exactly the changes that MongoDB committed', async () => {
  const uri = inject('mongodbUri')
  await using client = new MongoClient(uri)
  await using load = await Load.open(uri, systemClock)
  const stream = client.db('shop').watch([], { startAtOperationTime: await now(client) })
  const stop = new AbortController()
  const running = load.run(500, stop.signal)
  while (load.transactions < 20) await systemClock.sleep(20)
  stop.abort()
  await running
  await client.db('shop').collection('end').insertOne({})
  const seen: Record<string, number> = {}
  for await (const event of stream) {
    if (event.operationType === 'insert' && event.ns.coll === 'end') break
    if (!('ns' in event) || !('coll' in event.ns)) continue
    const name = `${event.ns.coll} ${event.operationType}`
    seen[name] = (seen[name] ?? 0) + 1
  }
  const counted = Object.entries(load.counts).flatMap(([name, operations]) =>
    Object.entries(operations).map(([operation, count]) => [`${name} ${operation}`, count] as const),
  )
  expect(seen).toEqual(Object.fromEntries(counted.filter(([, count]) => count > 0)))
})

async function now(client: MongoClient) {
  const { operationTime } = await client.db('admin').command({ ping: 1 })
  return operationTime
}
