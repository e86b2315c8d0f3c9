import { execFile } from 'node:child_process'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDir, cached, reporting } from '../../src/services/cache.ts'

const run = promisify(execFile)
const limitMs = 2 * 3_600_000

/** A Go module at one version, as the module proxy has it. */
export interface GoModule {
  readonly module: string
  readonly version: string
}

interface Downloaded {
  readonly Dir: string
  readonly GoMod: string
}

export interface GoOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** What `go ARGS` says on stdout. Throws with the end of what it said where it fails. */
export async function go(args: readonly string[], { cwd = '/', env = {} }: GoOptions = {}): Promise<string> {
  try {
    const options = { cwd, env: { ...process.env, ...env }, timeout: limitMs, maxBuffer: 64 << 20 }
    return (await run('go', args, options)).stdout
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string }
    throw new Error(`go ${args.join(' ')} failed (Go 1.26 or newer is needed):\n${stderr.slice(-4_000) || message}`)
  }
}

/** Where the module's files are, fetched where they are not. */
export async function download({ module, version }: GoModule): Promise<Downloaded> {
  return JSON.parse(await go(['mod', 'download', '-json', `${module}@${version}`])) as Downloaded
}

/**
 * A directory of the cache, whose `name` says what is in it and in which version, filled by `build` where it is absent.
 * That takes minutes, so progress is shown.
 */
export function built(name: string, build: (dir: string) => Promise<void>): Promise<string> {
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  return cached(cacheDir(process.env), name, dir => reporting(say, `Building ${name} (once)`, () => build(dir)))
}

/** The program of package `path` in `at`, in `dir`: `go install`. For modules without replacements. */
export async function install(at: GoModule, path: string, dir: string): Promise<void> {
  await go(['install', `${at.module}${path}@${at.version}`], { env: { GOBIN: dir } })
}

/** The same for a module with replacements, which `go install` refuses: built in a copy of its folder. */
export async function buildInCopy(at: GoModule, path: string, target: string): Promise<void> {
  const { Dir } = await download(at)
  const copy = `${target}.source`
  await cp(Dir, copy, { recursive: true, mode: 0 })
  await run('chmod', ['-R', 'u+w', copy])
  await go(['build', '-o', target, `.${path}`], { cwd: copy })
  await rm(copy, { recursive: true })
}

/** A module of our own in `dir` that requires `modules` and takes the `replaced` ones in those versions. */
export async function ownModule(
  dir: string,
  modules: readonly GoModule[],
  replaced: readonly GoModule[],
  goVersion = '1.26',
): Promise<void> {
  await mkdir(dir, { recursive: true })
  const requires = modules.map(({ module, version }) => `\t${module} ${version}\n`).join('')
  const replaces = replaced.map(({ module, version }) => `\t${module} => ${module} ${version}\n`).join('')
  const text = `module mongo2kafka.test/tools\n\ngo ${goVersion}\n\nrequire (\n${requires})\n\nreplace (\n${replaces})\n`
  await writeFile(join(dir, 'go.mod'), text)
}
