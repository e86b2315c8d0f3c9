import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import type { ReplicaSet } from '../../src/services/services.ts'
import { eventually } from '../integration/daemon.ts'
import { countRecords } from '../integration/topics.ts'
import { options } from '../services/servers.ts'
import { Canaries } from './canaries.ts'
import { Suspect } from './suspect.ts'

const canaries = new Canaries()
const plant = (kind: string) => canaries.plant(kind)

/** Everything that a library of ours could be asked to log. */
const noisy = {
  MONGODB_LOG_ALL: 'trace',
  MONGODB_LOG_MAX_DOCUMENT_LENGTH: '100000',
  DEBUG: '*',
  KAFKAJS_LOG_LEVEL: 'debug',
}

test('the search finds a canary however it is written', () => {
  const own = new Canaries()
  const value = own.plant('x')
  expect(own.seenIn('nothing')).toEqual([])
  for (const spelling of [value, value.toUpperCase(), `a%20${value}`, Buffer.from(`1${value}2`).toString('hex')]) {
    expect(own.seenIn(`before ${spelling} after`), spelling).toHaveLength(1)
  }
  for (const before of ['', 'a', 'ab', 'abc']) {
    expect(own.seenIn(Buffer.from(`${before}${value}after`).toString('base64')), before).toEqual([
      expect.stringMatching(/^x as Base64: /),
    ])
  }
})

let set: ReplicaSet
const password = `${plant('MongoPassword')}/@: %41`
const token = plant('AdminToken')

beforeAll(async () => {
  set = await startReplicaSet({ ...options(), members: 1, auth: true })
  await using client = new MongoClient(set.uri)
  const roles = ['readAnyDatabase', 'clusterMonitor']
  await client.db('admin').command({ createUser: 'cdc', pwd: password, roles })
})
afterAll(() => set?.[Symbol.asyncDispose]())

const uriWith = (secret: string) => set.uri.replace('root:root@', `cdc:${encodeURIComponent(secret)}@`)
const brokers = () => JSON.stringify(inject('kafkaBrokers'))

/** A pipeline for each way in which an event ends in an error that quotes it, and one that works. */
function config(name: string): string {
  const pipeline = (collection: string, source: string, more = '') =>
    `  - { name: ${collection}, partitions: 1, ${more} source: { collections: [${name}.${collection}]${source} } }\n`
  return `
name: ${name}
mongodb: { uri: "\${URI}" }
sink: { brokers: ${brokers()} }
admin: { port: 0, token: "\${TOKEN}" }
log: { level: debug }
retry: { initial: 100ms, max: 1s }
pipelines:
${pipeline('good', '')}${pipeline('image', ', fullDocument: required')}\
${pipeline('filter', ', filter: { $expr: { $gt: [{ $toInt: $fullDocument.card }, 1] } }')}\
${pipeline('mixed', '', 'key: { format: string },')}\
${pipeline('large', '', 'topicConfig: { max.message.bytes: 2048 },')}`
}

/** Documents whose every part is a canary. */
async function writeCanaries(name: string, marker: string): Promise<void> {
  await using client = new MongoClient(set.uri)
  const [field, inner, value, id] = ['Field', 'Inner', 'Value', 'Id'].map(kind => plant(`${marker}${kind}`))
  const document = { card: value, [`${field}`]: { [`${inner}`]: [value] } }
  for (const collection of ['good', 'image', 'filter', 'mixed', 'large']) {
    const documents = client.db(name).collection<{ _id: string | { id: string } }>(collection)
    const more = collection === 'large' ? { filling: `${value}${'x'.repeat(8_000)}` } : {}
    await documents.insertOne({ _id: `${id}`, ...document, ...more } as never)
    await documents.updateOne({ _id: `${id}` }, { $set: { card: `${value}2` } })
    if (collection === 'mixed') await documents.insertOne({ _id: { id: `${id}` }, ...document })
    await documents.deleteOne({ _id: `${id}` })
  }
}

async function shown(suspect: Suspect): Promise<string> {
  const name = 'good'
  const paths = ['/', '/livez', '/readyz', '/metrics', '/nothing', '/api/v1/openapi.json']
  const api = ['pipelines', `pipelines/${name}`, 'workers', 'config'].map(each => `/api/v1/${each}`)
  const gets = await Promise.all([...paths, ...api].map(path => suspect.answer(path)))
  const orders = ['pause', 'resume'].flatMap(action =>
    [token, `${token}2`].map(each =>
      suspect.answer(`/api/v1/pipelines/${name}/${action}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${each}` },
      }),
    ),
  )
  return [...gets, ...(await Promise.all(orders))].join('\n')
}

describe('secrets and contents of documents are shown nowhere (G9)', () => {
  test('while events fail in every way, MongoDB goes away, and at the crash', { timeout: 240_000 }, async () => {
    const name = `cn${crypto.randomUUID().slice(0, 8)}`
    const crash = `process.on('SIGUSR2', () => { throw Object.assign(new Error(process.env.URI + process.env.DOCUMENT), { document: process.env.DOCUMENT }) })`
    const variables = { ...noisy, URI: uriWith(password), TOKEN: token, DOCUMENT: plant('CrashDocument') }
    await using suspect = await Suspect.start(config(name), variables, crash)
    await eventually(() => ((suspect.output.match(/reading changes/g)?.length ?? 0) >= 5 ? true : undefined), 'a start')
    await writeCanaries(name, 'First')
    const failures = ['SOURCE_IMAGE_MISSING', 'SOURCE_REJECTED', 'EVENT_UNENCODABLE', 'SINK_RECORD_TOO_LARGE']
    for (const code of failures) await suspect.says(`"code":"${code}"`)
    const records = async () => ((await countRecords(inject('kafkaBrokers'), [`${name}.good`])) >= 3 ? true : undefined)
    await eventually(records, 'the records of what works')
    const pages = [await shown(suspect)]
    await set.members[0]?.kill()
    await suspect.says('ECONNREFUSED')
    pages.push(await shown(suspect))
    await set.members[0]?.start(AbortSignal.timeout(60_000))
    await set.primary()
    suspect.signal('SIGUSR2')
    expect(await suspect.exit()).toBe(1)
    expect(suspect.output).toContain('mongo2kafka: INTERNAL: Error: its message is withheld')
    expect(await suspect.left()).toBe('')
    for (const text of [suspect.output, ...pages]) expect(canaries.seenIn(text)).toEqual([])
  })

  test.each([
    ['MongoDB', (secret: string) => ({ uri: uriWith(secret), sink: '' })],
    [
      'Kafka',
      (secret: string) => ({
        uri: uriWith(password),
        sink: `, sasl: { mechanism: plain, username: cdc, password: "${secret}" }`,
      }),
    ],
    ['a URI that is none', (secret: string) => ({ uri: `mongodb://cdc:${secret}@[::bad/?replicaSet=%zz`, sink: '' })],
    [
      'a name that does not resolve',
      (secret: string) => ({ uri: `mongodb://cdc:${secret}@${'unknown'}.invalid/`, sink: '' }),
    ],
  ])('when the login to %s fails', { timeout: 120_000 }, async (_what, wrong) => {
    const secret = plant('WrongPassword')
    const { uri, sink } = wrong(secret)
    const yaml = config('wrong').replace(/sink: .*/, `sink: { brokers: ${brokers()}${sink} }\nstartup: { wait: 1s }`)
    await using suspect = await Suspect.start(yaml, { ...noisy, URI: uri, TOKEN: token })
    expect([1, 78]).toContain(await suspect.exit())
    expect(suspect.output).toMatch(/SOURCE_|SINK_|CONFIG_INVALID|mongodb\.uri/)
    expect(canaries.seenIn(suspect.output)).toEqual([])
  })
})
