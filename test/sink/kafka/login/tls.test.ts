import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { expect, it } from 'vitest'
import { silentLogger } from '../../../../src/log.ts'
import { Workspace } from '../../../../src/services/workspace.ts'
import { ReloadedTls } from '../../../../src/sink/kafka/login/tls.ts'
import { Authority } from '../../../services/certificates.ts'

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

it('looks at the files by itself', async () => {
  await using workspace = await Workspace.open('tls')
  const ca = join(workspace.dir, 'ca.pem')
  await writeFile(ca, authority.cert)
  using tls = new ReloadedTls({ ca, rejectUnauthorized: true }, silentLogger)
  const replaced = once(tls.replaced, 'abort')
  await writeFile(ca, new Authority('another').cert)
  await replaced
})
