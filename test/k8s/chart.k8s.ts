import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chartDir, root, type ValuesFile, valuesFiles } from '../helm/chart.ts'
import { type KubeObject, namespace, objectsIn, release, rendered } from '../helm/objects.ts'
import { type HelmVersion, helm, helmVersions, said } from '../helm/tools.ts'
import { Cluster } from './cluster.ts'
import { customResources, customVersions, kubernetes, programs } from './programs.ts'
import { resultsText } from './results.ts'

const files = valuesFiles()
const restricted = `apiVersion: v1
kind: Namespace
metadata:
  name: ${namespace}
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
---
{ apiVersion: v1, kind: Namespace, metadata: { name: monitoring } }
---
{ apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: { name: gvisor }, handler: runsc }
`
/** With a slip of the pen: what accepts it checks nothing. */
const wrong = `apiVersion: v1
kind: Service
metadata: { name: wrong }
spec: { ports: [{ port: 80, targetPrt: 8080 }] }
`

let cluster: Cluster
const results: { values: string; objects: number; kinds: readonly string[] }[] = []
const lives: string[] = []

beforeAll(async () => {
  for (const version of helmVersions) await helm(version)
  cluster = await Cluster.start(await programs(), new AbortController().signal)
  for (const file of await customResources()) await cluster.kubectl(['apply', '--server-side', '-f', file])
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=300s', 'customresourcedefinitions', '--all'])
  await cluster.kubectl(['apply', '-f', '-'], { input: restricted })
})

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

function dryRun(text: string) {
  const args = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-']
  return cluster.tryKubectl(args, { input: text })
}

describe('the API server', () => {
  test('refuses a field that does not exist', async () => {
    const { code, stderr } = await dryRun(wrong)
    expect(code).not.toBe(0)
    expect(stderr).toContain('targetPrt')
  })

  test.each(files)('accepts every object of $name, without a warning', async file => {
    for (const version of helmVersions) {
      const text = await rendered(version, file, ['--skip-tests'])
      const { code, stdout, stderr } = await dryRun(text)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const objects = objectsIn(text)
      expect(stdout.trim().split('\n')).toHaveLength(objects.length)
      if (version === helmVersions[0]) {
        results.push({
          values: file.name,
          objects: objects.length,
          kinds: [...new Set(objects.map(({ kind }) => kind))],
        })
      }
    }
  })

  test.each(files)('lets the pods of $name into a namespace with Pod Security restricted', async file => {
    for (const pod of podsOf(objectsIn(await rendered('3.22.0', file)))) {
      const { code, stderr } = await dryRun(JSON.stringify(pod))
      expect({ code, stderr }, pod.metadata.name).toEqual({ code: 0, stderr: '' })
    }
  })

  test('would not let them in as root', async () => {
    const file = files.find(({ name }) => name === 'minimal')!
    const asRoot = ['--set', 'podSecurityContext.runAsNonRoot=false,securityContext.runAsNonRoot=false']
    const [pod] = podsOf(objectsIn(await rendered('3.22.0', file, asRoot)))
    const { code, stderr } = await dryRun(JSON.stringify(pod))
    expect(code).not.toBe(0)
    expect(stderr).toContain('violates PodSecurity "restricted')
  })
})

/** The pods that controllers would make, and that of `helm test`. */
function podsOf(objects: readonly KubeObject[]): KubeObject[] {
  return objects.flatMap(object => {
    if (object.kind === 'Pod') return [object]
    if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return []
    const template = object.spec?.template as KubeObject
    const pod = { name: `${object.metadata.name}-0`, namespace, labels: template.metadata.labels ?? {} }
    return [{ apiVersion: 'v1', kind: 'Pod', metadata: pod, spec: template.spec ?? {} }]
  })
}

describe.each(helmVersions)('Helm %s', version => {
  /** The same life for all: installed, upgraded to other values, back again, and gone. */
  test.each([
    ['minimal', 'workers-kafka'],
    ['workers-kafka', 'production'],
    ['static', 'static'],
    ['file', 'file'],
    ['everything', 'production'],
  ])('installs %s, upgrades to %s, rolls back and uninstalls', async (first, second) => {
    const run = runner(version)
    await run('install', release, chartDir, '--values', fileOf(first).path)
    const installed = await workload()
    await run('upgrade', release, chartDir, '--values', fileOf(second).path, '--set', 'minReadySeconds=99')
    expect((await workload()).spec).toHaveProperty('minReadySeconds', 99)
    await run('rollback', release, '1')
    expect((await workload()).spec).toHaveProperty('minReadySeconds', installed.spec?.minReadySeconds)
    const history = JSON.parse(await run('history', release, '--output', 'json')) as { status: string }[]
    expect(history.map(({ status }) => status)).toEqual(['superseded', 'superseded', 'deployed'])
    await run('uninstall', release)
    const left = await ours()
    expect(left.map(({ kind }) => kind)).toEqual(first === 'file' ? ['PersistentVolumeClaim'] : [])
    lives.push(`| Helm ${version} | ${first} | ${second} |`)
    for (const { metadata } of left) {
      // Nobody uses it here, so the controller that would take its protection away has nothing to wait for.
      await cluster.kubectl(['-n', namespace, 'patch', 'pvc', metadata.name, '-p', '{"metadata":{"finalizers":null}}'])
      await cluster.kubectl(['-n', namespace, 'delete', 'pvc', metadata.name])
    }
  })
})

function fileOf(name: string): ValuesFile {
  const file = files.find(each => each.name === name)
  if (!file) throw new Error(`there is no ci/${name}-values.yaml`)
  return file
}

function runner(version: HelmVersion) {
  return async (...args: readonly string[]) =>
    said(await helm(version), [...args, '--namespace', namespace], { env: { KUBECONFIG: cluster.kubeconfig } })
}

async function workload(): Promise<KubeObject> {
  const found = (await ours()).filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
  expect(found).toHaveLength(1)
  return found[0]!
}

/** Every object of the release, in all namespaces. */
async function ours(): Promise<readonly KubeObject[]> {
  const kinds = 'deployments,statefulsets,services,configmaps,serviceaccounts,persistentvolumeclaims,networkpolicies'
  const more = 'poddisruptionbudgets,horizontalpodautoscalers,servicemonitors,podmonitors,prometheusrules,scaledobjects'
  const selector = `app.kubernetes.io/instance=${release}`
  const text = await cluster.kubectl(['get', `${kinds},${more}`, '-A', '-l', selector, '-o', 'json'])
  return (JSON.parse(text) as { items: KubeObject[] }).items
}

test('the results are written down', () => {
  expect(results.map(({ values }) => values)).toEqual(files.map(({ name }) => name))
  expect(lives).toHaveLength(10)
  const versions = { Kubernetes: kubernetes.version, ...customVersions, Helm: helmVersions.join(' and ') }
  writeFileSync(join(root, 'test/k8s/RESULTS.md'), resultsText(versions, results, lives))
})
