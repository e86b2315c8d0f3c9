import { expect, test } from 'vitest'
import { loadTestcontainers, publish } from '../../src/services/container-library.ts'

const library = loadTestcontainers()

test.skipIf(library === undefined)('the library that is installed has what we use of it', () => {
  const draft = new library!.GenericContainer('mongo:6.0.5')
  const drafted = draft.withCommand(['mongod', '--port', '27017']).withEnvironment({ A: 'b' }).withStartupTimeout(1_000)
  const bindings = { '27017/tcp': [{ HostIp: '127.0.0.1', HostPort: '27017' }] }
  const published = { start: expect.any(Function), hostConfig: { PortBindings: bindings } }
  expect(publish(drafted, 27_017, '127.0.0.1')).toMatchObject(published)
  expect(library!.getContainerRuntimeClient).toBeInstanceOf(Function)
})
