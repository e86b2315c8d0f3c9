import { expect, test } from 'vitest'
import { loadTestcontainers } from '../../src/services/container-library.ts'

const library = loadTestcontainers()

test.skipIf(library === undefined)('the library that is installed has what we use of it', () => {
  const draft = new library!.GenericContainer('mongo:6.0.5')
  const drafted = draft
    .withCommand(['mongod', '--port', '27017'])
    .withEnvironment({ A: 'b' })
    .withExposedPorts({ container: 27_017, host: 27_017 })
    .withStartupTimeout(1_000)
  expect(drafted).toMatchObject({ start: expect.any(Function) })
  expect(library!.getContainerRuntimeClient).toBeInstanceOf(Function)
})
