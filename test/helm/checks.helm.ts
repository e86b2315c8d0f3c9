import { copyFileSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { chartDir, readChart, valuesFiles } from './chart.ts'
import { rendered } from './objects.ts'
import { call, helm, helmDocsProgram, helmUnittest, kubeScoreProgram, said } from './tools.ts'

beforeAll(async () => {
  await helm('3.22.0')
  await helmUnittest()
  await kubeScoreProgram()
  await helmDocsProgram()
})

test('the suites of helm-unittest pass', async () => {
  const { code, stdout, stderr } = await call(await helmUnittest(), ['--strict', chartDir])
  expect(stdout + stderr).not.toMatch(/Tests: +0 passed/)
  expect(code, stdout + stderr).toBe(0)
})

/** Rules of kube-score that we break on purpose, each with its reason. */
const brokenOnPurpose = {
  'container-image-pull-policy': 'IfNotPresent, so that a worker starts while the registry is gone',
}

/** One finding of kube-score. */
interface Scored {
  readonly object_name: string
  readonly checks: readonly {
    readonly check: { readonly id: string }
    readonly grade: number
    readonly comments: readonly { readonly path: string; readonly summary: string }[] | null
  }[]
}

const critical = 1

// A NodePort and the images of strangers are what `everything` is for.
test.each(valuesFiles().filter(({ name }) => name !== 'everything'))(
  'kube-score has nothing critical on $name',
  async file => {
    const ignored = Object.keys(brokenOnPurpose).flatMap(id => ['--ignore-test', id])
    // No CPU limit: the kernel's throttling would delay heartbeats, and a worker that is not heard of loses its slots.
    const options = ['score', '--output-format', 'json', '--ignore-container-cpu-limit', ...ignored, '-']
    const { stdout } = await call(await kubeScoreProgram(), options, {
      input: await rendered('3.22.0', file, ['--skip-tests']),
    })
    const scored = JSON.parse(stdout) as readonly Scored[]
    expect(scored.length).toBeGreaterThan(3)
    const findings = scored.flatMap(({ object_name, checks }) =>
      checks
        .filter(({ grade }) => grade === critical)
        .map(
          ({ check, comments }) => `${object_name}: ${check.id}: ${comments?.map(({ summary }) => summary).join(', ')}`,
        ),
    )
    expect(findings).toEqual([])
  },
)

test('README.md is what helm-docs makes; else: run it in helm/mongo2kafka', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'mongo2kafka-docs-'))
  for (const file of ['Chart.yaml', 'values.yaml', 'README.md.gotmpl'])
    copyFileSync(join(chartDir, file), join(copy, file))
  await said(await helmDocsProgram(), ['--chart-search-root', copy, '--sort-values-order', 'file'])
  expect(readChart('README.md')).toBe(readFileSync(join(copy, 'README.md'), 'utf8'))
})
