import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { expect, it, vi } from 'vitest'
import { isAlive } from './servers.ts'

/** A program that starts a server, says what it has, and is then killed without a chance to clean up. */
const program = `
import { ServerProcess } from '${new URL('../../src/services/process.ts', import.meta.url)}'
import { Workspace } from '${new URL('../../src/services/workspace.ts', import.meta.url)}'
const workspace = await Workspace.open('guard')
const command = { program: 'sleep', args: ['600'], logFile: workspace.dir + '/log' }
const server = await ServerProcess.spawn(command, workspace)
console.log(JSON.stringify({ pid: server.pid, dir: workspace.dir }))
setInterval(() => {}, 1000)
`

it('ends the servers and removes their data when this process is killed by SIGKILL', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await Array.fromAsync(firstLine(child.stdout))
  const { pid, dir } = JSON.parse(line ?? '{}') as { pid: number; dir: string }
  expect(isAlive(pid)).toBe(true)
  child.kill('SIGKILL')
  await vi.waitFor(() => expect(isAlive(pid) || existsSync(dir)).toBe(false), { timeout: 120_000, interval: 50 })
})

async function* firstLine(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  for await (const line of createInterface(stream)) {
    yield line
    return
  }
}
