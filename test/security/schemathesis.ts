import { type ExecFileException, execFile } from 'node:child_process'
import { cacheDir, cached } from '../../src/services/cache.ts'

/** From PyPI, into the cache of downloads, with what it needs; never into the project. */
const version = '4.32.5'

export interface Fuzzing {
  /** 0: nothing found. */
  readonly code: number
  readonly output: string
}

/** Has schemathesis attack what the OpenAPI document at `url` describes, but `excluded`, with `token` where there is one, for about `seconds`. */
export async function fuzz(
  url: string,
  token: string | undefined,
  seconds: number,
  excluded: readonly string[] = [],
): Promise<Fuzzing> {
  const path = await cached(cacheDir(process.env), `schemathesis-${version}`, async directory => {
    const { code, output } = await python(
      ['-m', 'pip', 'install', '--quiet', '--target', directory, `schemathesis==${version}`],
      {},
    )
    if (code !== 0) throw new Error(`schemathesis cannot be installed (python3 with pip is needed):\n${output}`)
  })
  const start =
    'import sys; from schemathesis.cli import schemathesis; sys.argv[0] = "schemathesis"; sys.exit(schemathesis())'
  // Unknown parameters are ignored and unknown names are 404, as everywhere: two checks want otherwise.
  const unwanted = 'negative_data_rejection,positive_data_acceptance'
  const options = ['--checks', 'all', '--exclude-checks', unwanted, '--max-time', String(seconds), '--no-color']
  const without = excluded.flatMap(path => ['--exclude-path', path])
  const login = token === undefined ? [] : ['--header', `Authorization: Bearer ${token}`]
  return python(['-c', start, 'run', url, ...login, ...without, ...options, '--generation-database', 'none'], {
    PYTHONPATH: path,
  })
}

function python(args: readonly string[], variables: Readonly<Record<string, string>>): Promise<Fuzzing> {
  const { promise, resolve } = Promise.withResolvers<Fuzzing>()
  const options = { env: { ...process.env, ...variables }, timeout: 600_000, maxBuffer: 64 * 2 ** 20 }
  execFile('python3', args, options, (error: ExecFileException | null, stdout, stderr) => {
    const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
    resolve({ code, output: `${stdout}${stderr}${error && code === 1 && stdout === '' ? error.message : ''}` })
  })
  return promise
}
