import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Setting } from '../integration/setting.ts'
import { alterScramUser, startSecureBroker } from '../sink/kafka/secure-broker.ts'
import { Canaries } from './canaries.ts'
import { Suspect } from './suspect.ts'

/** Says which password is read, by its number; and on SIGUSR2 dies of an error that quotes both. */
const preload = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const { readFile } = fs.promises
const passwords = [process.env.FIRST, process.env.SECOND]
fs.promises.readFile = async (path, ...more) => {
  const read = await readFile(path, ...more)
  if (path !== process.env.PASSWORD_FILE) return read
  process.stderr.write('password ' + (1 + passwords.indexOf(read.toString().trim())) + ' is read\\n')
  return read
}
syncBuiltinESMExports()
process.on('SIGUSR2', () => { throw new TypeError('it knew ' + passwords.join(' and ')) })
`

const pages = ['/', '/readyz', '/metrics', '/api/v1/pipelines', '/api/v1/pipelines/all', '/api/v1/config']

test('a password that is exchanged while the daemon runs is shown nowhere, neither the old one nor the new', {
  timeout: 300_000,
}, async () => {
  await using broker = await startSecureBroker()
  const directory = await mkdtemp(join(tmpdir(), 'm2k-rotation-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const canaries = new Canaries()
  const [first, second] = [canaries.plant('FirstPassword'), canaries.plant('SecondPassword')]
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, `${first}\n`)
  await alterScramUser(broker.plain, 'canary', first)

  await using setting = await Setting.create({
    documents: 10,
    collections: ['c'],
    partitions: 1,
    brokers: [broker.plain],
  })
  const sasl = `sasl: { mechanism: scram-sha-512, username: canary, passwordFile: ${passwordFile} }`
  const yaml = setting.config
    .replace(/sink: .*/, `sink: { brokers: ["${broker.sasl}"], ${sasl} }\nlog: { level: debug }`)
    .replace('partitions: 1', 'partitions: 1\n    topicConfig: { replication: 1 }')
  const variables = {
    FIRST: first,
    SECOND: second,
    PASSWORD_FILE: passwordFile,
    KAFKAJS_LOG_LEVEL: 'debug',
    DEBUG: '*',
  }
  await using suspect = await Suspect.start(`${yaml}checkpoint: { replication: 1 }\n`, variables, preload)
  const shown: string[] = []
  const look = async () => {
    shown.push(...(await Promise.all(pages.map(page => suspect.answer(page)))))
  }
  await suspect.says('reading changes')
  await suspect.says('password 1 is read')
  await look()

  // The broker ends sessions after some seconds, and who sends something must log in again, which reads the file.
  await setting.writer.writeWhile(setting.namespaces[0] ?? '', async () => {
    await alterScramUser(broker.plain, 'canary', second)
    await writeFile(`${passwordFile}.new`, `${second}\n`)
    await rename(`${passwordFile}.new`, passwordFile)
    await suspect.says('password 2 is read')
    await look()
  })
  suspect.signal('SIGUSR2')
  expect(await suspect.exit()).toBe(1)
  expect(suspect.output).toContain('TypeError: it knew [redacted] and [redacted]')
  for (const text of [suspect.output, await suspect.left(), ...shown]) expect(canaries.seenIn(text)).toEqual([])
})
