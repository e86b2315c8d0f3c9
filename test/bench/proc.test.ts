import { expect, test } from 'vitest'
import { cpuSeconds, cpuSecondsOf, memoryMbOf } from '../../bench/proc.ts'

test('CPU time is user and system, with that of children, whatever the program is called', () => {
  const after = '0 0 0 0 0 0 0 0 0 0 1234 66 500 200 20 0 11 0 12345 0 0'
  expect(cpuSecondsOf(`4711 (java) S ${after}`)).toBe(20)
  expect(cpuSecondsOf(`4711 (a) 7 7 (b) S ${after}`)).toBe(20)
})

test('memory comes in MB', () => {
  const status = 'Name:\tnode\nVmPeak:\t  999999 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n'
  expect(memoryMbOf(status, 'VmHWM')).toBe(200)
  expect(memoryMbOf(status, 'VmRSS')).toBe(100)
  expect(memoryMbOf('', 'VmRSS')).toBeNaN()
})

test('a process that is not there has no CPU time', async () => {
  expect(await cpuSeconds(2 ** 30)).toBeNaN()
  expect(await cpuSeconds(process.pid)).toBeGreaterThan(0)
})
