import { parseAllDocuments } from 'yaml'
import { chartDir, type ValuesFile } from './chart.ts'
import { type HelmVersion, helm, said } from './tools.ts'

/** An object of Kubernetes. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
}

export const release = 'shop'
export const namespace = 'data'
/** What Helm takes for the cluster's version where it sees none; that of `test:k8s`. */
export const kubeVersion = ['--kube-version', '1.36.0']

/** What `helm template` makes of the chart with `file`, as text. */
export async function rendered(
  version: HelmVersion,
  file: ValuesFile,
  options: readonly string[] = [],
): Promise<string> {
  const args = [
    'template',
    release,
    chartDir,
    '--namespace',
    namespace,
    '--values',
    file.path,
    ...kubeVersion,
    ...options,
  ]
  return said(await helm(version), args)
}

/** The objects in `text`. Throws where a document is no YAML, or has a key twice. */
export function objectsIn(text: string): KubeObject[] {
  return parseAllDocuments(text, { uniqueKeys: true }).flatMap(document => {
    const [error] = document.errors
    if (error) throw error
    const value = document.toJS() as KubeObject | null
    return value === null ? [] : [value]
  })
}
