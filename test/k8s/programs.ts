import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { built, download, type GoModule, go, ownModule } from '../helm/go.ts'

export const kubernetes: GoModule = { module: 'k8s.io/kubernetes', version: 'v1.36.3' }
const prometheusOperator: GoModule = {
  module: 'github.com/prometheus-operator/prometheus-operator',
  version: 'v0.85.0',
}
const keda: GoModule = { module: 'github.com/kedacore/keda/v2', version: 'v2.21.0' }

export interface Programs {
  readonly apiserver: string
  readonly etcd: string
  readonly kubectl: string
}

/**
 * kube-apiserver, etcd and kubectl, built from the module proxy where they are not in the cache. Kubernetes' own module
 * takes its parts from folders beside it; ours takes each in the version that was published for it, v0.X.Y for v1.X.Y.
 */
export async function programs(): Promise<Programs> {
  const dir = await built(`kubernetes-${kubernetes.version}`, build)
  return { apiserver: join(dir, 'kube-apiserver'), etcd: join(dir, 'etcd'), kubectl: join(dir, 'kubectl') }
}

async function build(dir: string): Promise<void> {
  const { GoMod } = await download(kubernetes)
  const text = await readFile(GoMod, 'utf8')
  const parts = [...text.matchAll(/^\t(k8s\.io\/[\w-]+) v0\.0\.0$/gm)].map(match => match[1]!)
  const version = kubernetes.version.replace(/^v1\./, 'v0.')
  const source = join(dir, 'source')
  const replaced = parts.map(module => ({ module, version }))
  await ownModule(source, [kubernetes], replaced, /^go (\S+)/m.exec(text)?.[1])
  const named = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].map(name => stamp(name))
  const compile = async (target: string, path: string) => {
    // One package at a time: the compiler would otherwise take gigabytes. -mod=mod writes down what it finds.
    const flags = ['-p', '1', '-mod=mod', '-ldflags', `-s -w ${named.join(' ')}`]
    await go(['build', ...flags, '-o', join(dir, target), path], { cwd: source })
  }
  await compile('kube-apiserver', 'k8s.io/kubernetes/cmd/kube-apiserver')
  await compile('kubectl', 'k8s.io/kubernetes/cmd/kubectl')
  await compile('etcd', 'go.etcd.io/etcd/server/v3')
}

/** Without it the server says v0.0.0, and Helm refuses charts that ask for a version. */
function stamp(name: string): string {
  const [major, minor] = kubernetes.version.slice(1).split('.')
  const values = { gitVersion: kubernetes.version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' }
  return Object.entries(values)
    .map(([key, value]) => `-X ${name}.${key}=${value}`)
    .join(' ')
}

/** Files with the kinds of prometheus-operator and KEDA that the chart uses. */
export async function customResources(): Promise<string[]> {
  const name = `crds-${prometheusOperator.version}-${keda.version}`
  const dir = await built(name, async into => {
    await mkdir(into, { recursive: true })
    const operator = await download(prometheusOperator)
    for (const kind of ['servicemonitors', 'podmonitors', 'prometheusrules']) {
      const file = `monitoring.coreos.com_${kind}.yaml`
      await copyFile(join(operator.Dir, 'example/prometheus-operator-crd', file), join(into, file))
    }
    const file = 'keda.sh_scaledobjects.yaml'
    await copyFile(join((await download(keda)).Dir, 'config/crd/bases', file), join(into, file))
  })
  return [
    'monitoring.coreos.com_servicemonitors',
    'monitoring.coreos.com_podmonitors',
    'monitoring.coreos.com_prometheusrules',
  ]
    .concat('keda.sh_scaledobjects')
    .map(file => join(dir, `${file}.yaml`))
}

export const customVersions = { 'prometheus-operator': prometheusOperator.version, KEDA: keda.version }
