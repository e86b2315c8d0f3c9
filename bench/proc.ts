import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'

/** USER_HZ, which is 100 on every Linux that Node supports. */
const ticksPerSecond = 100

/** CPU time of `/proc/PID/stat`, user and system, with that of children that have been waited for; in seconds. */
export function cpuSecondsOf(stat: string): number {
  // The second field is the program's name in parentheses and may hold anything, so we count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond
}

/** Peak resident memory of `/proc/PID/status` (`VmHWM`), or what else `field` names; in MB of 2^20 bytes. */
export function memoryMbOf(status: string, field: 'VmHWM' | 'VmRSS'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024
}

/** CPU seconds of the process and all its children since it started; NaN once it is gone. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  if (stat === undefined) return Number.NaN
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1').catch(() => '')
  let sum = cpuSecondsOf(stat)
  for (const child of children.split(' ').filter(text => text !== '')) {
    const seconds = await cpuSeconds(Number(child))
    if (Number.isFinite(seconds)) sum += seconds
  }
  return sum
}

export async function memoryMb(pid: number, field: 'VmHWM' | 'VmRSS'): Promise<number> {
  return memoryMbOf(await readFile(`/proc/${pid}/status`, 'latin1').catch(() => ''), field)
}

/** CPU seconds that all processes of the machine have used since it started. */
export function machineCpuSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1_000
}

export const cores = availableParallelism()
