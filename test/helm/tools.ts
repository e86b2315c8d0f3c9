import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { buildInCopy, built, type GoModule, install } from './go.ts'

/** Both versions of Helm that are in use. */
export const helmVersions = ['3.22.0', '4.3.1'] as const
export type HelmVersion = (typeof helmVersions)[number]

const unittest: GoModule = { module: 'github.com/helm-unittest/helm-unittest', version: 'v1.1.2' }
const kubeScore: GoModule = { module: 'github.com/zegl/kube-score', version: 'v1.20.0' }
const helmDocs: GoModule = { module: 'github.com/norwoodj/helm-docs', version: 'v1.14.2' }

/** Paths of the programs, each built where it is not in the cache. */
export async function helm(version: HelmVersion): Promise<string> {
  const module = `helm.sh/helm/v${version.split('.')[0]}`
  const dir = await built(`helm-${version}`, into => install({ module, version: `v${version}` }, '/cmd/helm', into))
  return join(dir, 'helm')
}

export async function helmUnittest(): Promise<string> {
  const name = `helm-unittest-${unittest.version}`
  const dir = await built(name, into => buildInCopy(unittest, '/cmd/helm-unittest', join(into, 'helm-unittest')))
  return join(dir, 'helm-unittest')
}

export async function kubeScoreProgram(): Promise<string> {
  const name = `kube-score-${kubeScore.version}`
  const dir = await built(name, into => buildInCopy(kubeScore, '/cmd/kube-score', join(into, 'kube-score')))
  return join(dir, 'kube-score')
}

export async function helmDocsProgram(): Promise<string> {
  const dir = await built(`helm-docs-${helmDocs.version}`, into => install(helmDocs, '/cmd/helm-docs', into))
  return join(dir, 'helm-docs')
}

/** An empty directory, which goes with the tests of this file. */
export function scratch(): string {
  return mkdtempSync(join(home, 'scratch-'))
}

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Helm's own files go here, so nothing of the user's is read or written, and those of the tests. */
const home = mkdtempSync(join(tmpdir(), 'mongo2kafka-helm-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))
const helmHome = { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home, HELM_PLUGINS: home }

export interface CallOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Runs a program to its end. */
export function call(
  program: string,
  args: readonly string[],
  { env = {}, input }: CallOptions = {},
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const options = { env: { ...process.env, ...helmHome, ...env }, maxBuffer: 64 << 20 }
  const child = execFile(program, args, options, (error, stdout, stderr) => {
    const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
    resolve({ code, stdout, stderr: error && stderr === '' ? error.message : stderr })
  })
  child.stdin?.end(input ?? '')
  return promise
}

/** The same, where failing is not an answer: what it said on stdout. */
export async function said(program: string, args: readonly string[], options?: CallOptions): Promise<string> {
  const { code, stdout, stderr } = await call(program, args, options)
  if (code !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stderr}\n${stdout.slice(-4_000)}`)
  return stdout
}
