import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaSettings } from '../../src/cli/kafka-settings.ts'
import { systemClock } from '../../src/clock.ts'
import { loadConfig } from '../../src/config/config.ts'
import { silentLogger } from '../../src/log.ts'
import { createRedact } from '../../src/redact.ts'
import { Secrets, secretsIn } from '../../src/secret.ts'

const never = new AbortController().signal
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'm2k-settings-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** What a login with `sasl` sends first, and what the redactor makes of `text` from then on. */
async function loggingIn(sasl: string, text: string): Promise<{ readonly sent: string; readonly shown: string }> {
  const { settings, secrets } = settingsOf(sasl)
  const redact = createRedact(secrets)
  const { value } = (await settings.login?.begin(never).next()) ?? {}
  return { sent: String(value), shown: redact(text) }
}

function settingsOf(sasl: string) {
  const text = `
name: x
mongodb: { uri: mongodb://localhost }
sink: { brokers: [localhost:9092], sasl: ${sasl} }
pipelines: [{ name: p, source: { collections: [a.b] } }]`
  const config = loadConfig('x.yaml', { text, env: {}, overrides: [], readFile: () => '' })
  const secrets = new Secrets(secretsIn(config))
  return { settings: kafkaSettings({ config, clock: systemClock, log: silentLogger, secrets }), secrets }
}

describe('every secret that a login reads is known to the redactors before anybody else has it (G9)', () => {
  test('a password file, before and after it is exchanged', async () => {
    const path = join(directory, 'password')
    await writeFile(path, 'first-password\n')
    const { settings, secrets } = settingsOf(`{ mechanism: plain, username: cdc, passwordFile: ${path} }`)
    const redact = createRedact(secrets)
    const login = async () => String((await settings.login?.begin(never).next())?.value)
    expect(await login()).toContain('first-password')
    await writeFile(path, 'second-password')
    expect(await login()).toContain('second-password')
    expect(redact('first-password second-password')).toBe('[redacted] [redacted]')
  })

  test('a token file', async () => {
    const path = join(directory, 'token')
    await writeFile(path, 'eyJhbGciOi.token')
    const sasl = `{ mechanism: oauthbearer, oauth: { tokenFile: ${path} } }`
    const { sent, shown } = await loggingIn(sasl, 'was eyJhbGciOi.token')
    expect(sent).toContain('eyJhbGciOi.token')
    expect(shown).toBe('was [redacted]')
  })

  test('a client secret in a file, and the token that it gets', async () => {
    const path = join(directory, 'client-secret')
    await writeFile(path, 'the-client-secret')
    const server = createServer((_request, response) => {
      response.end(JSON.stringify({ access_token: 'granted.token', expires_in: 60 }))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const oauth = `{ tokenEndpoint: "http://127.0.0.1:${port}/", clientId: cdc, clientSecretFile: ${path} }`
    try {
      const sasl = `{ mechanism: oauthbearer, oauth: ${oauth} }`
      const { sent, shown } = await loggingIn(sasl, 'the-client-secret granted.token')
      expect(sent).toContain('granted.token')
      expect(shown).toBe('[redacted] [redacted]')
    } finally {
      server.close()
    }
  })
})
