import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { seeded } from '../simulation/schedule.ts'
import { OciServer } from '../sink/oci-rest/oci-server.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { judgeHistory, type Seen } from './history.ts'
import { Setting } from './setting.ts'
import { seenOf } from './topics.ts'

const partitions = 3

/** A profile of the CLI's configuration file with the key of the server's only user. */
async function profileOf(server: OciServer, folder: string): Promise<string> {
  const [tenancy, user, fingerprint] = server.keyId.split('/')
  await writeFile(join(folder, 'key.pem'), server.privateKeyPem)
  const lines = { tenancy, user, fingerprint, key_file: join(folder, 'key.pem'), region: 'eu-frankfurt-1' }
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}`)
  await writeFile(join(folder, 'config'), ['[DEFAULT]', ...text, ''].join('\n'))
  return join(folder, 'config')
}

function configOf({ name, uri }: Setting, server: OciServer, topic: string, profile: string): string {
  return `
name: ${name}
mongodb: { uri: "${uri}" }
sink:
  type: oci-rest
  oci: { streamPoolId: ${server.pool}, endpoint: "${server.endpoint}", auth: { configFile: ${profile} } }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
workers: { slots: 2 }
checkpoint: { store: mongodb, uri: "${uri}", database: ${name}_state, interval: 700ms }
pipelines:
  - name: all
    source: { collections: [${name}.*] }
    topic: ${topic}
    partitions: ${partitions}
`
}

async function started(config: string): Promise<Daemon> {
  const daemon = await Daemon.start(config)
  const streams = () => (daemon.output.split('reading changes').length > 2 ? true : undefined)
  try {
    await eventually(streams, 'two slots', 120_000)
    return daemon
  } catch (cause) {
    await daemon[Symbol.asyncDispose]()
    throw new Error(daemon.output, { cause })
  }
}

const count = (server: OciServer, topic: string) => server.stored(topic).reduce((sum, { length }) => sum + length, 0)

function seen(server: OciServer, topic: string): Seen[] {
  return server
    .stored(topic)
    .flatMap((messages, partition) => messages.map(({ value }) => seenOf(Buffer.from(value, 'base64'), partition)))
}

/** How many records of replays were left out, by the daemon's own count. */
async function alreadyThere(daemon: Daemon): Promise<number> {
  const counts = (await daemon.text('/metrics')).matchAll(/records_total\{[^}]*outcome="already-there"[^}]*\} (\d+)/g)
  return [...counts].reduce((sum, [, text]) => sum + Number(text), 0)
}

describe('the daemon on OCI Streaming over REST', () => {
  test('throttled, cut off and killed: every change once, in order', { timeout: 300_000 }, async () => {
    await using server = await OciServer.open()
    await using setting = await Setting.create({ documents: 100, collections: ['orders'], partitions })
    const [namespace = ''] = setting.namespaces
    const topic = `${setting.name}.all`
    const folder = await mkdtemp(join(tmpdir(), 'm2k-oci-'))
    const config = configOf(setting, server, topic, await profileOf(server, folder))
    const random = seeded(7)
    let lost = 0
    server.behaviour = {
      request: () => (lost > 0 && lost-- > 0 ? { kind: 'reset', isStored: true } : undefined),
      message: () =>
        random() < 0.1 ? { error: '429', errorMessage: 'throttled, next request can be made in 20 ms' } : undefined,
      read: () => (random() < 0.2 ? 'throttled' : undefined),
    }
    let leftOut = 0
    for (let round = 0; round < 4; round++) {
      await using daemon = await started(config)
      const grown = async () => {
        const enough = count(server, topic) + 100
        await eventually(
          () => (count(server, topic) >= enough ? true : undefined),
          `records on their way: ${daemon.output}`,
        )
      }
      await setting.writer.writeWhile(namespace, async () => {
        await grown()
        if (round === 2) {
          lost = 2
          await eventually(() => (/trying again/.test(daemon.output) ? true : undefined), 'a retry')
          await grown()
        }
        leftOut += await alreadyThere(daemon)
        await daemon.stop(round === 1 ? 'SIGTERM' : 'SIGKILL')
      })
    }
    await using daemon = await started(config)
    const complete = () => (count(server, topic) >= setting.writer.written ? true : undefined)
    await eventually(complete, `all of ${setting.writer.written} changes: ${daemon.output}`)
    leftOut += await alreadyThere(daemon)
    expect(await daemon.stop('SIGTERM'), daemon.output).toBe(0)
    await rm(folder, { recursive: true })
    const verdict = judgeHistory(setting.writer.journal, seen(server, topic), false)
    expect(verdict).toEqual({ violations: [], duplicates: 0 })
    expect(server.partitionsOf(topic)).toBe(partitions)
    expect(daemon.output).toContain('not yet run against the service itself')
    expect(leftOut, 'no crash left anything behind its checkpoint: the run proves nothing').toBeGreaterThan(0)
  })

  test('a key that the service does not know ends it at once, without a word of the key', {
    timeout: 120_000,
  }, async () => {
    await using server = await OciServer.open()
    await using setting = await Setting.create({ documents: 1, collections: ['orders'], partitions })
    const folder = await mkdtemp(join(tmpdir(), 'm2k-oci-'))
    const config = configOf(setting, server, 't', await profileOf(server, folder))
    server.acceptedKeyId = 'somebody/else/key'
    await using daemon = await Daemon.start(config)
    expect(await daemon.exit()).toBe(1)
    expect(daemon.output).toContain('SINK_OCI_AUTH')
    for (const line of server.privateKeyPem.split('\n').slice(1, -2)) expect(daemon.output).not.toContain(line)
    await rm(folder, { recursive: true })
  })
})
