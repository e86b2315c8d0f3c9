import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { chartDir, isMap, readChart, root, valuesFiles } from './chart.ts'
import { type KubeObject, kubeVersion, namespace, objectsIn, release, rendered } from './objects.ts'
import { call, helm, helmVersions, said, scratch } from './tools.ts'

const files = valuesFiles()

beforeAll(async () => {
  for (const version of helmVersions) await helm(version)
})

describe.each(helmVersions)('Helm %s', version => {
  test('finds nothing to complain about in the chart alone', async () => {
    const { code, stdout } = await call(await helm(version), ['lint', '--strict', ...kubeVersion, chartDir])
    expect(stdout).toContain('0 chart(s) failed')
    expect(code).toBe(0)
  })

  test.each(files)('nor with the values of $name, and renders them', async file => {
    const { code, stdout } = await call(await helm(version), [
      'lint',
      '--strict',
      ...kubeVersion,
      chartDir,
      '--values',
      file.path,
    ])
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.not.stringContaining('[WARNING]') })
    const objects = objectsIn(await rendered(version, file))
    expect(objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')).toHaveLength(1)
    for (const { kind, metadata } of objects) {
      expect(metadata, kind).toMatchObject({ name: expect.any(String) })
      if (!metadata.name.includes('-as-')) expect(metadata.labels, kind).toHaveProperty(['app.kubernetes.io/name'])
    }
  })

  test('says what to do where nothing is configured', async () => {
    const { code, stderr } = await call(await helm(version), ['template', release, chartDir, ...kubeVersion])
    expect(code).toBe(1)
    expect(stderr).toContain('config.name: give this deployment a name')
  })

  test('names the value with a slip of the pen', async () => {
    const slip = ['--values', files[0]!.path, '--set', 'replicasCount=2']
    const { code, stderr } = await call(await helm(version), ['template', release, chartDir, ...kubeVersion, ...slip])
    expect(code).not.toBe(0)
    expect(stderr).toContain('replicasCount')
  })

  test('packs no tests and no examples', async () => {
    const into = scratch()
    await said(await helm(version), ['package', chartDir, '--destination', into])
    const list = await said('tar', ['-tzf', join(into, `mongo2kafka-${parse(readChart('Chart.yaml')).version}.tgz`)])
    const packed = list.trim().split('\n')
    expect(packed).toContain('mongo2kafka/values.schema.json')
    expect(packed).toContain('mongo2kafka/templates/tests/status.yaml')
    expect(packed).toContain('mongo2kafka/files/dashboard.json')
    expect(packed.filter(path => /^mongo2kafka\/(ci|tests)\//.test(path))).toEqual([])
  })
})

test.each(files)('both versions make the same of $name', async file => {
  const [older, newer] = await Promise.all(helmVersions.map(async version => objectsIn(await rendered(version, file))))
  expect(newer).toEqual(older)
})

test.each(files)('the daemon accepts the configuration that comes of $name', async file => {
  const objects = objectsIn(await rendered('3.22.0', file, ['--show-only', 'templates/configmap.yaml']).catch(() => ''))
  const text = objects[0]?.data?.['mongo2kafka.yaml']
  if (text === undefined) {
    expect(file.values).toHaveProperty('existingConfigMap')
    return
  }
  const path = join(scratch(), 'mongo2kafka.yaml')
  writeFileSync(path, text)
  const env = { MONGODB_URI: 'mongodb://a/?replicaSet=rs0', ADMIN_TOKEN: 'token', OCI_AUTH_TOKEN: 'token' }
  const outcome = await call(process.execPath, [join(root, 'src/main.ts'), 'validate', '-c', path], { env })
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 })
})

describe('pods are', () => {
  const changed: readonly (readonly [string, readonly string[], boolean])[] = [
    [
      'kept where only pipelines and the revision changed',
      ['config.revision=2', 'config.defaults.partitions=3'],
      false,
    ],
    ['kept where a pipeline changed', ['config.pipelines[0].name=a', 'config.pipelines[0].topic=b'], false],
    ['replaced where anything else did', ['config.log.level=debug'], true],
    ['replaced for pipelines too where it is told to', ['configReload=restart'], true],
  ]

  test.each(changed)('%s', async (_, settings, isReplaced) => {
    const file = files.find(({ name }) => name === 'minimal')!
    const checksum = async (set: readonly string[]) => {
      const only = ['--show-only', 'templates/deployment.yaml', ...set.flatMap(each => ['--set', each])]
      const template = objectsIn(await rendered('3.22.0', file, only))[0]?.spec?.template as KubeObject
      return template.metadata.annotations?.['checksum/config']
    }
    const before = await checksum([])
    expect(before).toMatch(/^[0-9a-f]{64}$/)
    expect((await checksum(settings)) !== before).toBe(isReplaced)
  })
})

test('without selector the rules of the chart are those of files/rules.yaml', async () => {
  const file = files.find(({ name }) => name === 'minimal')!
  const options = ['--set', 'prometheusRule.enabled=true', '--show-only', 'templates/prometheusrule.yaml']
  const groups = (objects: readonly KubeObject[]) => objects[0]?.spec?.groups
  const chart = groups(objectsIn(await rendered('3.22.0', file, options)))
  expect(withoutSelector(chart)).toEqual(parse(readChart('files/rules.yaml')).groups)
})

/** Matchers of this release, which users without Helm do not have. */
function withoutSelector(value: unknown): unknown {
  const matchers = `namespace="${namespace}",job=~"(${namespace}/)?${release}-mongo2kafka"`
  if (typeof value === 'string')
    return value.replaceAll(`{${matchers}}`, '').replaceAll(`${matchers},`, '').replaceAll(`,${matchers}`, '')
  if (Array.isArray(value)) return value.map(withoutSelector)
  if (!isMap(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withoutSelector(child)]))
}
