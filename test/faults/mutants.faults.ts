import { afterAll, beforeAll, expect, test } from 'vitest'
import { modes } from './modes.ts'
import { breed, mutants } from './mutants.ts'
import { runSession } from './run.ts'
import { type Servers, startServers } from './servers.ts'

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers?.[Symbol.asyncDispose]())

const say = (line: string) => process.stdout.write(`${line}\n`)

test.each(mutants)('a daemon that $name is caught', async mutant => {
  await using broken = await breed(mutant)
  const { faults } = mutant
  const report = await runSession({ servers, mode: modes[mutant.mode], seed: 1, faults, main: broken.main, say })
  say(`${mutant.name}: ${report.violations.length} violations, such as ${report.violations[0]}`)
  expect(report.violations.join('\n')).toMatch(mutant.breaks)
})
