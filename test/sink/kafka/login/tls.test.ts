import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { expect, it } from 'vitest'
import { silentLogger } from '../../../../src/log.ts'
import { Workspace } from '../../../../src/services/workspace.ts'
import { ReloadedTls } from '../../../../src/sink/kafka/login/tls.ts'
import { Authority } from '../../../services/certificates.ts'
import { VirtualTime } from '../producer/virtual-time.ts'

const authority = new Authority('an authority')

/** Whom a server that wants client certificates sees on a connection made with `tls` as it is now. */
async function seenBy(tls: ReloadedTls): Promise<string> {
  const identity = authority.issue({ commonName: 'server', hosts: ['127.0.0.1', 'localhost'] })
  const server = createServer({ ...identity, ca: authority.cert, requestCert: true }, socket => {
    socket.end(String(socket.getPeerCertificate().subject.CN))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ...tls.current() })
  const seen = (await socket.toArray()).join('')
  server.close()
  return seen
}

it('takes exchanged files for new connections, tells the old, and waits while files do not belong together', async () => {
  await using workspace = await Workspace.open('tls')
  const [ca, cert, key] = ['ca', 'cert', 'key'].map(name => join(workspace.dir, `${name}.pem`)) as [
    string,
    string,
    string,
  ]
  const files = { ca, cert, key, rejectUnauthorized: true }
  expect(() => new ReloadedTls(files, silentLogger)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  const [first, second] = ['first', 'second'].map(commonName => authority.issue({ commonName }))
  await writeFile(ca, authority.cert)
  await writeFile(cert, first!.cert)
  await writeFile(key, second!.key)
  expect(() => new ReloadedTls(files, silentLogger)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  await writeFile(key, first!.key)
  using tls = new ReloadedTls(files, silentLogger)
  const { replaced } = tls
  expect(await seenBy(tls)).toBe('first')
  await writeFile(cert, second!.cert)
  expect(await seenBy(tls)).toBe('first')
  expect(replaced.aborted).toBe(false)
  await writeFile(key, second!.key)
  expect(await seenBy(tls)).toBe('second')
  expect(replaced.aborted).toBe(true)
  expect(tls.replaced.aborted).toBe(false)
})

it('looks at the files by itself, and sees what was changed right after they were first read', async () => {
  await using workspace = await Workspace.open('tls')
  const ca = join(workspace.dir, 'ca.pem')
  await writeFile(ca, authority.cert)
  const time = new VirtualTime(1)
  using tls = new ReloadedTls({ ca, rejectUnauthorized: true }, silentLogger, 0, time)
  const { replaced } = tls
  writeFileSync(ca, new Authority('another').cert)
  expect(replaced.aborted).toBe(false)
  const startMs = time.nowMs()
  const told = once(replaced, 'abort')
  await time.run(() => replaced.aborted)
  await told
  expect(time.nowMs() - startMs).toBe(5_000)
})

it.each([
  ['empty', () => ''],
  ['cut off', (pem: string) => pem.slice(0, pem.length / 2)],
  ['cut off in its second certificate', (pem: string) => pem + pem.slice(0, pem.length / 2)],
  ['cut off before its last line', (pem: string) => pem.slice(0, pem.indexOf('-----END'))],
])('takes no file that is %s, as while it is being written', async (_name, change) => {
  await using workspace = await Workspace.open('tls')
  const { cert, key } = authority.issue({ commonName: 'first' })
  const paths = { cert: join(workspace.dir, 'cert'), key: join(workspace.dir, 'key'), ca: join(workspace.dir, 'ca') }
  const whole = { cert, key, ca: authority.cert }
  const names = ['ca', 'cert', 'key'] as const
  for (const name of names) await writeFile(paths[name], whole[name])
  using tls = new ReloadedTls({ ...paths, rejectUnauthorized: true }, silentLogger)
  const { secureContext } = tls.current()
  for (const name of names) {
    await writeFile(paths[name], change(whole[name]))
    expect(tls.current().secureContext, name).toBe(secureContext)
    await writeFile(paths[name], whole[name])
  }
  expect(tls.replaced.aborted).toBe(false)
})

it('takes several certificates and what is written about them', async () => {
  await using workspace = await Workspace.open('tls')
  const ca = join(workspace.dir, 'ca')
  await writeFile(ca, `# Ours - of today\n${authority.cert}\n# Another\n${new Authority('another').cert}\n# end\n`)
  using tls = new ReloadedTls({ ca, rejectUnauthorized: true }, silentLogger)
  expect(tls.current().rejectUnauthorized).toBe(true)
})

it('says whom a certificate names as Kafka does', async () => {
  await using workspace = await Workspace.open('tls')
  const [cert, key] = [join(workspace.dir, 'cert'), join(workspace.dir, 'key')]
  const identity = authority.issue({ commonName: 'da,ve', organization: 'acme' })
  await Promise.all([writeFile(cert, identity.cert), writeFile(key, identity.key)])
  using tls = new ReloadedTls({ cert, key, rejectUnauthorized: true }, silentLogger)
  expect([tls.hasCertificate, tls.subject]).toEqual([true, 'CN=da\\,ve,O=acme'])
  using none = new ReloadedTls({ rejectUnauthorized: true }, silentLogger)
  expect([none.hasCertificate, none.subject]).toEqual([false, undefined])
})
