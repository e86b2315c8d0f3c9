import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const preload = fileURLToPath(new URL('clock-step.ts', import.meta.url))

/** Looks at the clock, has it stepped an hour back, and looks again, in every way there is. */
const program = `
  const { writeFileSync } = require('node:fs')
  const look = () => [Date.now(), new Date().getTime(), performance.now(), new Date(5).getTime(), new Date() instanceof Date]
  const before = look()
  writeFileSync(process.env.FAULT_CLOCK, '-3600000')
  process.on('SIGUSR2', () => process.stdout.write(JSON.stringify([before, look()]), () => process.exit()))
  setInterval(() => {}, 1_000)
  process.kill(process.pid, 'SIGUSR2')`

test('the wall clock steps, also for a process that starts later, and the monotonic one does not', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'm2k-clock-'))
  const file = join(directory, 'clock')
  try {
    await writeFile(file, '3600000')
    const startMs = Date.now()
    const env = { ...process.env, FAULT_CLOCK: file }
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', preload, '-e', program], { env })
    const [before, after] = JSON.parse(stdout) as [number[], number[]]
    for (const wall of [0, 1]) {
      expect(before[wall]).toBeGreaterThanOrEqual(startMs + 3_600_000)
      expect(after[wall]).toBeLessThan(before[wall]! - 3_600_000)
    }
    expect(after[2]).toBeGreaterThanOrEqual(before[2]!)
    expect(after.slice(3)).toEqual([5, true])
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
