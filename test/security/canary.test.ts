import { once } from 'node:events'
import { createServer } from 'node:http'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import type { ReplicaSet } from '../../src/services/services.ts'
import { countRecords } from '../integration/topics.ts'
import { options } from '../services/servers.ts'
import type { Doorkeeper } from '../sink/kafka/proxy/link.ts'
import { KafkaProxy } from '../sink/kafka/proxy/proxy.ts'
import {
  askedMechanism,
  authenticateAnswer,
  handshakeAnswer,
  saidIn,
  saslApis,
  saslErrors,
} from '../sink/kafka/proxy/sasl.ts'
import { eventually } from '../waiting.ts'
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
const keeperPassword = `${plant('KeeperPassword')}/@: %41`
const token = plant('AdminToken')

beforeAll(async () => {
  set = await startReplicaSet({ ...options(), members: 1, auth: true })
  await using client = new MongoClient(set.uri)
  const roles = ['readAnyDatabase', 'clusterMonitor']
  await client.db('admin').command({ createUser: 'cdc', pwd: password, roles })
  const keeps = [{ role: 'readWrite', db: 'mongo2kafka' }]
  await client.db('admin').command({ createUser: 'keeper', pwd: keeperPassword, roles: keeps })
})
afterAll(() => set?.[Symbol.asyncDispose]())

const uriWith = (secret: string, user = 'cdc') =>
  set.uri.replace('root:root@', `${user}:${encodeURIComponent(secret)}@`)
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
${pipeline('mixed', '', 'key: { format: string }, onError: fail,')}\
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

/** A broker that takes every mechanism, refuses every login, and quotes what it was sent. */
const quoting: Doorkeeper = {
  meet(apiKey, version, body) {
    if (apiKey === saslApis.handshake) return handshakeAnswer(saslErrors.none, askedMechanism(body))
    if (apiKey !== saslApis.authenticate) return 'pass'
    const error = `you said ${saidIn(body).toString()}`
    return authenticateAnswer(version, { errorCode: saslErrors.authenticationFailed, error })
  },
}

/** An authorization server that grants `token`, or refuses and quotes what it was sent where there is none. */
async function authorizationServer(token?: string) {
  const server = createServer((request, response) => {
    const { authorization = '' } = request.headers
    const pair = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()
    const refusal = { error: 'invalid_client', error_description: `you said ${pair}, ${authorization}` }
    response.writeHead(token === undefined ? 401 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(token === undefined ? refusal : { access_token: token, expires_in: 60 }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const stop = async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${address.port}/token`, [Symbol.asyncDispose]: stop }
}

/** Everything that a daemon shows whose login by `sasl` is refused by who quotes it. */
async function refusedLogin(sasl: string, variables: Readonly<Record<string, string>>): Promise<string> {
  await using proxy = await KafkaProxy.open({ brokers: inject('kafkaBrokers'), keeper: () => quoting })
  const sink = `sink: { brokers: ${JSON.stringify(proxy.brokers)}, sasl: ${sasl} }\nstartup: { wait: 1s }`
  const yaml = config('refused').replace(/sink: .*/, sink)
  await using suspect = await Suspect.start(yaml, { ...noisy, URI: uriWith(password), TOKEN: token, ...variables })
  expect([1, 78]).toContain(await suspect.exit())
  expect(suspect.output).toContain('SINK_AUTH_FAILED')
  const validated = [await suspect.command('validate', '-c', 'config.yaml', '--json')]
  expect(validated[0]).toMatch(/^exit 0\n/)
  validated.push(await suspect.command('validate', '-c', 'config.yaml', '--set', 'sink.sasl.username=bob'))
  expect(validated[1]).toMatch(/^exit 78\n/)
  return [suspect.output, await suspect.left(), ...validated].join('\n')
}

describe('what logs in is shown nowhere, also where the other side quotes it (G9)', () => {
  const oauth = (url: string) =>
    `{ mechanism: oauthbearer, oauth: { tokenEndpoint: "${url}", clientId: cdc, clientSecret: "\${SECRET}" } }`

  test('the secret of an OAuth client', { timeout: 400_000 }, async () => {
    await using server = await authorizationServer()
    const shown = await refusedLogin(oauth(server.url), { SECRET: plant('ClientSecret') })
    expect(shown).toContain('invalid_client')
    expect(canaries.seenIn(shown)).toEqual([])
  })

  test('the token that it is granted', { timeout: 400_000 }, async () => {
    await using server = await authorizationServer(plant('GrantedToken'))
    const shown = await refusedLogin(oauth(server.url), { SECRET: plant('OtherSecret') })
    expect(shown).toContain('you said')
    expect(canaries.seenIn(shown)).toEqual([])
  })

  test('the keys of AWS, and the token that is signed by them', { timeout: 400_000 }, async () => {
    const aws = `{ region: eu-central-1, accessKeyId: AKIA1, secretAccessKey: "\${SECRET}", sessionToken: "\${SESSION}" }`
    const variables = { SECRET: plant('AwsSecretKey'), SESSION: plant('AwsSessionToken') }
    const shown = await refusedLogin(`{ mechanism: aws-msk-iam, aws: ${aws} }`, variables)
    expect(shown).toContain('you said')
    expect(canaries.seenIn(shown)).toEqual([])
  })
})

describe('the commands show no secrets and no contents (G9)', () => {
  const stored = (uri: string) => `checkpoint: { store: mongodb, uri: "${uri}" }\n`

  test('status, checkpoint show and validate, with checkpoints in MongoDB', { timeout: 600_000 }, async () => {
    const name = `cn${crypto.randomUUID().slice(0, 8)}`
    const variables = { ...noisy, URI: uriWith(password), TOKEN: token, STORE: uriWith(keeperPassword, 'keeper') }
    await using suspect = await Suspect.start(config(name) + stored(`\${STORE}`), variables)
    await eventually(() => ((suspect.output.match(/reading changes/g)?.length ?? 0) >= 5 ? true : undefined), 'a start')
    await writeCanaries(name, 'Second')
    for (const code of ['SOURCE_IMAGE_MISSING', 'EVENT_UNENCODABLE']) await suspect.says(`"code":"${code}"`)
    const url = await suspect.url()
    const seen = await eventually(async () => {
      const text = await suspect.command('status', '--url', url)
      return text.includes('SOURCE_IMAGE_MISSING') ? text : undefined
    }, 'the status of a pipeline that has failed')
    const saved = await eventually(async () => {
      const text = await suspect.command('checkpoint', 'show', '-c', 'config.yaml', '--pipeline', 'good', '--json')
      return text.includes('clusterTime') ? text : undefined
    }, 'a checkpoint')
    const more = [
      ['status', '-c', 'config.yaml', '--url', url, '--json'],
      ['checkpoint', 'show', '-c', 'config.yaml'],
      ['validate', '-c', 'config.yaml', '--json'],
      ['validate', '-c', 'config.yaml', '--set', 'checkpoint.store=nowhere'],
    ].map(args => suspect.command(...args))
    const shown = [seen, saved, ...(await Promise.all(more)), suspect.output, await suspect.left()]
    expect(shown[2]).toContain('EVENT_UNENCODABLE')
    expect(shown[3]).toContain('GENERATION')
    expect(shown[4]).toContain('"valid": true')
    expect(shown[5]).toContain('checkpoint')
    for (const text of shown) expect(canaries.seenIn(text)).toEqual([])
  })

  test('a store of checkpoints that refuses the login', { timeout: 400_000 }, async () => {
    const variables = { ...noisy, URI: uriWith(password), TOKEN: token, STORE: uriWith(plant('WrongKeeper'), 'keeper') }
    const yaml = `${config('wrong')}startup: { wait: 1s }\n${stored(`\${STORE}`)}`
    await using suspect = await Suspect.start(yaml, variables)
    expect([1, 78]).toContain(await suspect.exit())
    const shown = [suspect.output, await suspect.command('checkpoint', 'show', '-c', 'config.yaml')]
    for (const text of shown) {
      expect(text).toMatch(/CHECKPOINT_|SOURCE_/)
      expect(canaries.seenIn(text)).toEqual([])
    }
  })
})
