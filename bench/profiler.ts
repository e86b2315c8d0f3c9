/**
 * Loaded into the daemon by bench/profile.ts (`node --import`): samples CPU and allocations from the start to the exit
 * and writes both profiles to the folder that PROFILE_DIRECTORY names. Not part of the product.
 */
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'

const directory = process.env.PROFILE_DIRECTORY ?? '.'
const samplingBytes = 32_768
const session = new Session()
session.connect()

/** A session with its own thread answers before `post` returns, so that this works in the handler of 'exit'. */
function ask(method: string, parameters: object = {}): unknown {
  let answer: unknown
  session.post(method, parameters, (error, result) => {
    if (error) throw error
    answer = result
  })
  return answer
}

ask('Profiler.enable')
ask('Profiler.start')
const collected = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
if (process.env.PROFILE_KIND === 'allocations') {
  ask('HeapProfiler.startSampling', { samplingInterval: samplingBytes, ...collected })
}
process.on('exit', () => {
  writeFileSync(join(directory, 'cpu.json'), JSON.stringify(ask('Profiler.stop')))
  if (process.env.PROFILE_KIND === 'allocations') {
    writeFileSync(join(directory, 'allocations.json'), JSON.stringify(ask('HeapProfiler.stopSampling')))
  }
})
