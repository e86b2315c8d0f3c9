import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { options } from '../services/servers.ts'
import type { Case } from './case.ts'
import { casesOfLag } from './cases-of-lag.ts'
import { casesOfLoss } from './cases-of-loss.ts'
import { casesOfWork } from './cases-of-work.ts'
import { findPrometheus } from './prometheus.ts'
import { promtoolTest } from './promtool-test.ts'

const run = promisify(execFile)
const rulesFile = fileURLToPath(new URL('../../helm/mongo2kafka/files/rules.yaml', import.meta.url))
let promtool: string
let directory: string

beforeAll(async () => {
  promtool = (await findPrometheus({ ...options(), progress: line => process.stderr.write(`${line}\n`) })).promtool
  directory = await mkdtemp(join(tmpdir(), 'm2k-promtool-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** What promtool says of the cases; `passed` is its exit code. */
async function judge(cases: readonly Case[]): Promise<{ readonly passed: boolean; readonly said: string }> {
  const file = join(directory, `${crypto.randomUUID()}.yaml`)
  await writeFile(file, promtoolTest(cases, rulesFile))
  try {
    const { stdout, stderr } = await run(promtool, ['test', 'rules', file])
    return { passed: true, said: stdout + stderr }
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return { passed: false, said: stdout + stderr }
  }
}

test('promtool finds nothing wrong with the rules', async () => {
  const { stdout } = await run(promtool, ['check', 'rules', '--lint-fatal', rulesFile])
  expect(stdout).toMatch(/SUCCESS: \d+ rules found/)
})

describe.each([
  ['work', casesOfWork],
  ['lag', casesOfLag],
  ['loss', casesOfLoss],
] as const)('alerts of %s', (_, cases) => {
  test.each(cases.map(each => [each.name, each] as const))('%s', async (_name, each) => {
    const { passed, said } = await judge([each])
    expect(passed, said).toBe(true)
  })
})

test('a case that expects another alert, none, or too early fails', async () => {
  const lag = casesOfLag.find(({ about }) => about.includes('Mongo2kafkaLagHigh'))!
  const looking = (at: string, ...firing: string[]): Case => ({ ...lag, looks: [{ at, firing }] })
  const right = lag.looks.at(-1)!
  expect((await judge([looking(right.at, ...right.firing)])).passed).toBe(true)
  expect((await judge([looking(right.at)])).said).toContain('Mongo2kafkaLagHigh')
  expect((await judge([looking(right.at, 'Mongo2kafkaStalled{job="shop"}')])).passed).toBe(false)
  expect((await judge([looking(lag.looks[0]!.at, ...right.firing)])).passed).toBe(false)
})
