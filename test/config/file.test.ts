import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { processEnvironment } from '../../src/config/environment.ts'
import { loadConfigFile } from '../../src/config/file.ts'
import { InvalidConfig } from '../../src/config/problem.ts'

test('a file and the secret files that it names are read', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'm2k-config-'))
  try {
    const [file, token] = [join(directory, 'config.yaml'), join(directory, 'token')]
    await writeFile(token, 's3cret: [\n')
    await writeFile(
      file,
      `name: a\nmongodb: { uri: "mongodb://b" }\nadmin: { token: "$\{file:${token}}" }\npipelines: [{ name: c, source: { collections: [d.*] } }]\n`,
    )
    const config = loadConfigFile(file, { env: {}, overrides: ['sink.brokers=[e:1]'] })
    expect(config.admin.token?.reveal()).toBe('s3cret: [')
    expect(config.sink.brokers).toEqual(['e:1'])
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a file that cannot be read is an invalid configuration', () => {
  const load = () => loadConfigFile(tmpdir(), { env: {}, overrides: [] })
  expect(load).toThrow(InvalidConfig)
  expect(load).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('EISDIR') }))
})

test("the process's environment is what the process has", () => {
  expect(processEnvironment()).toMatchObject({ PATH: expect.any(String) })
})
