import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { chartDir, readChart, type ValuesFile, valuesFiles } from './chart.ts'
import { rendered } from './objects.ts'
import { call, helm, helmDocsProgram, helmUnittest, kubeScoreProgram, said, scratch } from './tools.ts'

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

/** What kube-score says of one object. */
interface Scored {
  readonly object_name: string
  readonly checks: readonly {
    readonly check: { readonly id: string }
    readonly grade: number
    readonly skipped: boolean
    readonly comments: readonly { readonly summary: string }[] | null
  }[]
}

const critical = 1

async function criticalFindings(file: ValuesFile, options: readonly string[]): Promise<string[]> {
  const ignored = Object.keys(brokenOnPurpose).flatMap(id => ['--ignore-test', id])
  // No CPU limit: the kernel's throttling would delay heartbeats, and a worker that is not heard of loses its slots.
  const args = ['score', '--output-format', 'json', '--ignore-container-cpu-limit', ...ignored, '-']
  const input = await rendered('3.22.0', file, ['--skip-tests', ...options])
  const scored = JSON.parse((await call(await kubeScoreProgram(), args, { input })).stdout) as readonly Scored[]
  return scored.flatMap(({ object_name, checks }) =>
    checks
      .filter(({ grade, skipped }) => grade === critical && !skipped)
      .map(({ check, comments }) =>
        [object_name, check.id, ...(comments ?? []).map(({ summary }) => summary)].join(': '),
      ),
  )
}

// A NodePort and the images of strangers are what `everything` is for.
const scoredFiles = valuesFiles().filter(({ name }) => name !== 'everything')

test.each(scoredFiles)('kube-score has nothing critical on $name', async file => {
  expect(await criticalFindings(file, [])).toEqual([])
})

test.each(scoredFiles)('and would have without network policy and limits on $name', async file => {
  const worse = ['--set', 'networkPolicy.enabled=false,resources.limits=null']
  const findings = (await criticalFindings(file, worse)).join('\n')
  expect(findings).toContain('pod-networkpolicy')
  expect(findings).toContain('container-resources')
})

test('README.md is what helm-docs makes; else: run it in helm/mongo2kafka', async () => {
  const copy = scratch()
  for (const file of ['Chart.yaml', 'values.yaml', 'README.md.gotmpl'])
    copyFileSync(join(chartDir, file), join(copy, file))
  await said(await helmDocsProgram(), ['--chart-search-root', copy, '--sort-values-order', 'file'])
  expect(readChart('README.md')).toBe(readFileSync(join(copy, 'README.md'), 'utf8'))
})
