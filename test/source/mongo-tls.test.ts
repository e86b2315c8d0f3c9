import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { findMongod } from '../../src/services/download-mongod.ts'
import { Mongod } from '../../src/services/mongod.ts'
import { freePort } from '../../src/services/ports.ts'
import { Workspace } from '../../src/services/workspace.ts'
import { openMongo } from '../../src/source/mongo.ts'
import { Authority } from '../services/certificates.ts'
import { options } from '../services/servers.ts'

const never = new AbortController().signal
const authority = new Authority('MongoDB of the tests')
const stack = new AsyncDisposableStack()
let dir: string
let host: string

/** Is ready when who comes with TLS is told that it is the primary. */
class TlsMongod extends Mongod {
  protected override async isReady(): Promise<boolean> {
    try {
      const impatient = '&directConnection=true&serverSelectionTimeoutMS=2000'
      await using client = new MongoClient(`mongodb://${this.host}/?${trust()}${impatient}`)
      return (await client.db('admin').command({ hello: 1 })).isWritablePrimary === true
    } catch {
      return false // Not yet; if it never is, the log says why.
    }
  }
}

/** Options of a connection string: TLS, with trust in our authority and, for who asks, a certificate. */
function trust(certificate = 'client.pem'): string {
  return `tls=true&tlsCAFile=${join(dir, 'ca.pem')}&tlsCertificateKeyFile=${join(dir, certificate)}`
}

beforeAll(async () => {
  const workspace = stack.use(await Workspace.open('mongodb'))
  dir = workspace.dir
  const pem = ({ cert, key }: { cert: string; key: string }) => key + cert
  await writeFile(join(dir, 'ca.pem'), authority.cert)
  const hosts = ['127.0.0.1', 'localhost']
  await writeFile(join(dir, 'server.pem'), pem(authority.issue({ commonName: 'db', organization: 'servers', hosts })))
  await writeFile(join(dir, 'client.pem'), pem(authority.issue({ commonName: 'cdc', organization: 'clients' })))
  await writeFile(join(dir, 'stranger.pem'), pem(authority.issue({ commonName: 'eve', organization: 'clients' })))
  await writeFile(join(dir, 'key'), 'bW9uZ28ya2Fma2E', { mode: 0o600 })
  const { signal } = options()
  const settings = { program: await findMongod(options()), port: await freePort(), workspace, setParameters: {} }
  const args = ['--replSet', 'rs0', '--oplogSize', '64']
  const open = new Mongod({ ...settings, args })
  stack.defer(() => open.kill())
  await open.start(signal)
  host = open.host
  await open.admin({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host }] } })
  while ((await open.hello())?.isWritablePrimary !== true) await systemClock.sleep(50, signal)
  const roles = [{ role: 'readAnyDatabase', db: 'admin' }]
  await open.admin({ createUser: 'cdc', pwd: 'p@ss', roles })
  {
    await using client = new MongoClient(`mongodb://${host}/?directConnection=true`)
    await client.db('$external').command({ createUser: 'CN=cdc,O=clients', roles })
  }
  await open.kill('SIGTERM')
  const tls = ['--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', join(dir, 'server.pem')]
  const secure = [...args, ...tls, '--tlsCAFile', join(dir, 'ca.pem'), '--keyFile', join(dir, 'key')]
  const closed = new TlsMongod({ ...settings, args: secure })
  stack.defer(() => closed.kill())
  await closed.start(signal)
})
afterAll(() => stack.disposeAsync())

async function open(uri: string): Promise<string> {
  await using mongo = await openMongo({ uri, clock: systemClock, log: silentLogger, meter: silentMeter }, never)
  return mongo.identity
}

it('SCRAM over TLS', async () => {
  expect(await open(`mongodb://cdc:p%40ss@${host}/?replicaSet=rs0&${trust()}`)).toContain('replicaSet:rs0')
  await expect(open(`mongodb://cdc:wrong@${host}/?replicaSet=rs0&${trust()}`)).rejects.toMatchObject({
    code: 'SOURCE_AUTH_FAILED',
  })
})

it('X.509', async () => {
  const mechanism = 'authMechanism=MONGODB-X509&authSource=%24external'
  expect(await open(`mongodb://${host}/?replicaSet=rs0&${mechanism}&${trust()}`)).toContain('replicaSet:rs0')
  const stranger = open(`mongodb://${host}/?replicaSet=rs0&${mechanism}&${trust('stranger.pem')}`)
  await expect(stranger).rejects.toMatchObject({ code: 'SOURCE_AUTH_FAILED' })
})

it('without TLS, and without trust', async () => {
  const uris = [`mongodb://${host}/?replicaSet=rs0`, `mongodb://${host}/?replicaSet=rs0&tls=true`]
  const refused = { name: 'Retryable', code: 'SOURCE_UNREACHABLE' }
  await Promise.all(uris.map(uri => expect(open(uri)).rejects.toMatchObject(refused)))
})
