import { MongoClient, type ServerDescriptionChangedEvent } from 'mongodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import type { ReplicaSet } from '../../src/services/services.ts'
import { decodeTopologyVersions } from '../../src/source/raw-errors.ts'
import { patience } from './lab.ts'

let set: ReplicaSet
beforeAll(async () => {
  set = await startReplicaSet({
    env: process.env,
    members: 1,
    setParameters: { enableTestCommands: 1 },
    signal: patience(),
  })
})
afterAll(() => set?.[Symbol.asyncDispose]())

const stream = { aggregate: 1, pipeline: [{ $changeStream: { allChangesForCluster: true } }], cursor: { batchSize: 0 } }
const notWritablePrimary = 10107

/** What the driver takes the server for after it said, in a raw reply and without any change, that it is no primary. */
async function typesAfter(prepare: (client: MongoClient) => void): Promise<string[]> {
  await using client = new MongoClient(set.uri, { appName: 'raw-errors', monitorCommands: true })
  prepare(client)
  await client.db('admin').command({ ping: 1 })
  const types: string[] = []
  client.on('serverDescriptionChanged', ({ newDescription }: ServerDescriptionChangedEvent) => {
    types.push(newDescription.type)
  })
  const data = { failCommands: ['aggregate'], errorCode: notWritablePrimary, appName: 'raw-errors' }
  await client.db('admin').command({ configureFailPoint: 'failCommand', mode: { times: 3 }, data })
  for (let i = 0; i < 3; i++) {
    const refused = client.db('admin').command(stream, { raw: true })
    await expect(refused).rejects.toMatchObject({ code: notWritablePrimary })
    if (types.length > 0) break
  }
  await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' })
  return types
}

it('an error without news leaves the server what it was, and the next command goes to it at once', async () => {
  expect(await typesAfter(decodeTopologyVersions)).toEqual([])
})

it('the driver by itself takes the server for unknown: once it does not, decoding is superfluous', async () => {
  expect(await typesAfter(() => undefined)).toContain('Unknown')
})
