import { Writable } from 'node:stream'
import { type AdminOptions, startAdmin } from '../../src/admin/server.ts'
import type { Io } from '../../src/cli/io.ts'
import { silentLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/observe/metrics.ts'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command and gives what it wrote. */
export async function ran(command: (io: Io) => Promise<number>, terminal = false): Promise<Ran> {
  const written = { stdout: '', stderr: '' }
  const writer = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += String(chunk)
        done()
      },
    })
  const io: Io = { stdout: Object.assign(writer('stdout'), { isTTY: terminal }), stderr: writer('stderr') }
  const code = await command(io)
  return { code, ...written }
}

/** An admin server of a test's own, on a free port. */
export async function daemonWith(options: Partial<AdminOptions>) {
  const metrics = createMetrics({ version: '1' })
  const defaults = { port: 0, statuses: () => [], metrics, log: silentLogger }
  const admin = await startAdmin({ ...defaults, ...options }, new AbortController().signal)
  return Object.assign(admin, { url: `http://127.0.0.1:${admin.address.port}` })
}
