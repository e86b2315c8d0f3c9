import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../src/services/ports.ts'
import { ServerProcess, whenReady } from '../../src/services/process.ts'
import { Workspace } from '../../src/services/workspace.ts'
import { namespace } from '../helm/objects.ts'
import { type CallOptions, call, type Outcome, said } from '../helm/tools.ts'
import type { Programs } from './programs.ts'

const startLimitMs = 300_000
/** Of this server alone, which lives for a test and listens on 127.0.0.1. */
const token = 'test'

/** A real API server with its etcd. Nothing else: no pod is ever started, and no controller makes or removes objects. */
export class Cluster implements AsyncDisposable {
  readonly kubeconfig: string
  readonly #kubectl: string
  readonly #parts: AsyncDisposableStack

  private constructor(kubeconfig: string, kubectl: string, parts: AsyncDisposableStack) {
    this.kubeconfig = kubeconfig
    this.#kubectl = kubectl
    this.#parts = parts
  }

  static async start(programs: Programs, signal: AbortSignal): Promise<Cluster> {
    await using parts = new AsyncDisposableStack()
    const workspace = parts.use(await Workspace.open('kubernetes'))
    const etcd = await startEtcd(programs, workspace, parts)
    const port = await freePort()
    const kubeconfig = join(workspace.dir, 'kubeconfig')
    await writeFile(kubeconfig, kubeconfigText(port))
    const logFile = join(workspace.dir, 'kube-apiserver.log')
    const args = await apiserverArgs(workspace.dir, etcd, port)
    const server = await ServerProcess.spawn({ program: programs.apiserver, args, logFile }, workspace)
    parts.defer(() => server.end('SIGKILL'))
    await whenReady('kube-apiserver', server, logFile, startLimitMs, signal, async () => {
      const { code } = await call(programs.kubectl, ['get', '--raw', '/readyz'], { env: { KUBECONFIG: kubeconfig } })
      return code === 0 ? true : undefined
    })
    return new Cluster(kubeconfig, programs.kubectl, parts.move())
  }

  /** What kubectl says on stdout. Throws where it fails. */
  kubectl(args: readonly string[], options: CallOptions = {}): Promise<string> {
    return said(this.#kubectl, args, this.#with(options))
  }

  /** The same where failing is an answer. */
  tryKubectl(args: readonly string[], options: CallOptions = {}): Promise<Outcome> {
    return call(this.#kubectl, args, this.#with(options))
  }

  #with(options: CallOptions): CallOptions {
    return { ...options, env: { ...options.env, KUBECONFIG: this.kubeconfig } }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync()
  }
}

/** The address of an etcd of its own. */
async function startEtcd(programs: Programs, workspace: Workspace, parts: AsyncDisposableStack): Promise<string> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
  const args = ['--data-dir', join(workspace.dir, 'etcd'), '--unsafe-no-fsync', '--log-level', 'warn']
  args.push('--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer)
  args.push('--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`)
  const command = { program: programs.etcd, args, logFile: join(workspace.dir, 'etcd.log') }
  const server = await ServerProcess.spawn(command, workspace)
  parts.defer(() => server.end('SIGKILL'))
  return client
}

async function apiserverArgs(dir: string, etcd: string, port: number): Promise<string[]> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const file = async (name: string, text: string) => {
    await writeFile(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const args: Readonly<Record<string, string>> = {
    'etcd-servers': etcd,
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'cert-dir': join(dir, 'certificates'),
    'service-cluster-ip-range': '10.0.0.0/24',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-signing-key-file': await file('service-account.key', privateKey),
    'service-account-key-file': await file('service-account.pub', publicKey),
    'token-auth-file': await file('tokens.csv', `${token},admin,admin,system:masters\n`),
    'authorization-mode': 'RBAC',
    // Its accounts are made by a controller that does not run here.
    'disable-admission-plugins': 'ServiceAccount',
  }
  return Object.entries(args).map(([name, value]) => `--${name}=${value}`)
}

function kubeconfigText(port: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin', namespace } }],
    'current-context': 'test',
  })
}
