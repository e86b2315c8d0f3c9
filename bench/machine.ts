import { cpus, release, totalmem, type } from 'node:os'
import { probe } from '../src/services/process.ts'
import { cores } from './proc.ts'
import type { Circumstances } from './results.ts'
import type { Servers } from './servers.ts'

export const kafkaVersion = '4.1.1'

/** What the figures depend on. */
export async function circumstances(
  { mongodVersion }: Pick<Servers, 'mongodVersion'>,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Circumstances> {
  const run = async (program: string, argv: string[]) => (await probe(program, argv, signal))?.trim() ?? ''
  const root = ['-C', import.meta.dirname]
  const commit = await run('git', [...root, 'rev-parse', '--short', 'HEAD'])
  const changed = await run('git', [...root, 'status', '--porcelain', '--', '../src'])
  return {
    at: new Date().toISOString(),
    commit: commit === '' ? 'unknown' : `${commit}${changed === '' ? '' : ' with changes in src'}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    java: (await run('java', ['-version'])).split('\n')[0] ?? '',
    mongod: mongodVersion,
    kafka: kafkaVersion,
    arguments: args,
  }
}
