import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { expect, test } from 'vitest'
import { Daemon } from '../integration/daemon.ts'
import { Setting } from '../integration/setting.ts'
import { Authority } from '../services/certificates.ts'
import { never } from '../sink/kafka/fixture.ts'
import { tlsOf } from '../sink/kafka/login-fixture.ts'
import { alterScramUser, startSecureBroker, user } from '../sink/kafka/secure-broker.ts'
import { wireFor } from '../sink/kafka/wire-fixture.ts'
import { eventually } from '../waiting.ts'

const limitMs = 300_000
/** ConfigResourceTypes.BROKER, which kafkajs does not export to ES modules. */
const brokerResource = 4
const listener = 'listener.name.both'
const server = { commonName: 'broker', hosts: ['127.0.0.1', 'localhost'] }

/** Files that are exchanged as a mounted secret is: whole, in one step each. */
class Files implements AsyncDisposable {
  readonly directory: string
  #versions = 0

  private constructor(directory: string) {
    this.directory = directory
  }

  static async make(): Promise<Files> {
    return new Files(await mkdtemp(join(tmpdir(), 'm2k-exchange-')))
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  async put(name: string, text: string): Promise<string> {
    const next = this.path(`next-${this.#versions++}`)
    await writeFile(next, text)
    await rename(next, this.path(name))
    return this.path(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Gives the listener other files, while it runs. Paths must be new: the broker compares them. */
async function alterListener(address: string, keystore: string, truststore: string): Promise<void> {
  const admin = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING }).admin()
  const configEntries = [
    { name: `${listener}.ssl.keystore.location`, value: keystore },
    { name: `${listener}.ssl.truststore.location`, value: truststore },
  ]
  try {
    await admin.connect()
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: brokerResource, name: '1', configEntries }],
    })
  } finally {
    await admin.disconnect()
  }
}

/** Waits until the broker takes no such certificate. */
async function refuses(address: string, certificate: { ca: string; cert: string; key: string }): Promise<void> {
  const isRefused = async () => {
    await using wire = wireFor([address], {}, { tls: tlsOf(certificate) })
    const error: unknown = await wire.leaders([], never).catch((error: unknown) => error)
    return (error as { code?: string }).code === 'SINK_AUTH_FAILED' ? true : undefined
  }
  await eventually(isRefused, 'a refusal of the old certificate', limitMs)
}

test('password, client certificate and authority are exchanged under load: every change once, in order (G1, G2, G4)', {
  timeout: 1_200_000,
}, async () => {
  const reauthentication = `${listener}.scram-sha-512.connections.max.reauth.ms=11500`
  await using broker = await startSecureBroker([reauthentication, `${listener}.ssl.client.auth=required`])
  await using files = await Files.make()
  const { authority: old } = broker
  const next = new Authority('the next authority')
  const place = async (authority: Authority) => {
    const { cert, key } = authority.issue({ commonName: 'cdc' })
    await files.put('cert', cert) // Until the key is there as well they do not belong together, and the old go on.
    await files.put('key', key)
  }
  await files.put('ca', old.cert)
  await place(old)
  await files.put('password', user.password)

  const shape = { documents: 100, collections: ['orders'], partitions: 2 }
  await using setting = await Setting.create({ ...shape, brokers: [broker.plain] })
  const [orders = ''] = setting.namespaces
  const tls = `{ ca: ${files.path('ca')}, cert: ${files.path('cert')}, key: ${files.path('key')} }`
  const sasl = `{ mechanism: scram-sha-512, username: ${user.username}, passwordFile: ${files.path('password')} }`
  const sink = `sink: { brokers: ["${broker.saslTls}"], tls: ${tls}, sasl: ${sasl} }`
  const config = setting.config.replace(/^sink: .*$/m, sink)
  await using daemon = await Daemon.start(`${config}delivery: exactly-once\n`)
  await daemon.reaches('all', 'running', 'idle')
  const count = (text: string) => daemon.output.split(text).length - 1
  const says = (text: string, times: number) =>
    eventually(
      () => (count(text) >= times ? true : undefined),
      () => `${times} times ${text}: ${daemon.output.slice(-3_000)}`,
      limitMs,
    )
  const refusedAgain = async (exchange: () => Promise<unknown>) => {
    const times = count('SINK_LOGIN_REFUSED') + 1
    await exchange()
    await says('SINK_LOGIN_REFUSED', times)
  }

  await setting.writer.writeWhile(orders, async () => {
    await setting.more(orders, 100)
    // The broker first: the next renewal of a session is refused until the file has it too.
    await refusedAgain(() => alterScramUser(broker.plain, user.username, 'the second word'))
    await files.put('password', 'the second word')
    await setting.more(orders, 100)
    // The file first: the same the other way round.
    await refusedAgain(() => files.put('password', 'the third word'))
    await alterScramUser(broker.plain, user.username, 'the third word')
    await setting.more(orders, 100)

    // The authority, as one does it: both are trusted, then each side changes, then the old one is trusted no more.
    const both = await files.put('trusted-both', old.cert + next.cert)
    await files.put('ca', old.cert + next.cert)
    const identity = next.issue(server)
    await alterListener(broker.plain, await files.put('broker.pem', identity.key + identity.cert), both)
    await setting.more(orders, 100)
    await place(next)
    await files.put('ca', next.cert)
    await alterListener(broker.plain, files.path('broker.pem'), await files.put('trusted-next', next.cert))
    await refuses(broker.saslTls, { ca: next.cert, ...old.issue({ commonName: 'cdc' }) })
    await setting.more(orders, 100)
    // Nothing of the old authority is trusted any more. The refused login ends the connections, so that others are made.
    await refusedAgain(() => alterScramUser(broker.plain, user.username, 'the fourth word'))
    await files.put('password', 'the fourth word')
    await setting.more(orders, 100)
  })
  await setting.arrived(daemon)
  expect(await daemon.stop('SIGTERM'), daemon.output.slice(-3_000)).toBe(0)
  expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
})
