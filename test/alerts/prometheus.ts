import { globSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Configuration } from '../../src/errors.ts'
import { cacheDir, cached, reporting } from '../../src/services/cache.ts'
import { probe, runToEnd } from '../../src/services/process.ts'
import type { ServiceOptions } from '../../src/services/services.ts'

/** Programs of Prometheus, as names on the PATH or as paths. */
export interface Prometheus {
  readonly server: string
  readonly promtool: string
}

const limitMs = 10 * 60_000
const help = `install Prometheus 2.42 or later, such that \`prometheus\` and \`promtool\` are on the PATH
  (Debian, Ubuntu: apt-get install prometheus)`

/**
 * Prometheus as this machine has it, else Debian's package, fetched once into the cache: that needs apt-get and dpkg, and
 * no rights of an administrator, since the package is only unpacked.
 */
export async function findPrometheus(options: ServiceOptions): Promise<Prometheus> {
  const { env, progress, signal } = options
  const own = await Promise.all(['prometheus', 'promtool'].map(program => probe(program, ['--version'], signal)))
  if (own.every(version => version !== undefined)) return { server: 'prometheus', promtool: 'promtool' }
  for (const [program, option] of [
    ['apt-get', '--version'],
    ['dpkg-deb', '--version'],
  ] as const) {
    if ((await probe(program, [option], signal)) !== undefined) continue
    throw new Configuration('SERVICE_MISSING', `this machine has neither Prometheus nor ${program}: ${help}`)
  }
  const dir = await cached(cacheDir(env), 'prometheus', partial =>
    reporting(progress, "Fetching Debian's package of Prometheus (once)", () => fetchPackage(partial, signal)),
  )
  return { server: join(dir, 'usr/bin/prometheus'), promtool: join(dir, 'usr/bin/promtool') }
}

async function fetchPackage(dir: string, signal: AbortSignal): Promise<void> {
  const options = { cwd: dir, limitMs, signal }
  try {
    await runToEnd('apt-get', ['download', 'prometheus'], options)
  } catch {
    signal.throwIfAborted()
    await downloadByOwnLists(dir, signal)
  }
  const [file] = globSync('prometheus_*.deb', { cwd: dir })
  if (!file) throw new Configuration('SERVICE_MISSING', `apt-get has no package prometheus: ${help}`)
  await runToEnd('dpkg-deb', ['-x', file, dir], options)
  await rm(join(dir, file))
}

/** On a new machine apt has no lists of packages yet, and only an administrator may change those of all users. */
async function downloadByOwnLists(dir: string, signal: AbortSignal): Promise<void> {
  const apt = join(dir, 'apt')
  await mkdir(join(apt, 'lists/partial'), { recursive: true })
  await mkdir(join(apt, 'archives/partial'), { recursive: true })
  const own = ['-o', `Dir::State::Lists=${apt}/lists`, '-o', `Dir::Cache=${apt}`]
  await runToEnd('apt-get', [...own, 'update'], { cwd: dir, limitMs, signal })
  await runToEnd('apt-get', [...own, 'download', 'prometheus'], { cwd: dir, limitMs, signal })
  await rm(apt, { recursive: true })
}
