import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { read, root } from './dockerfile.ts'

interface Step {
  readonly uses?: string
  readonly run?: string
}
interface Job {
  readonly permissions?: Readonly<Record<string, string>>
  readonly needs?: string
  readonly 'timeout-minutes'?: number
  readonly steps: readonly Step[]
}
interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}
const files = globSync('.github/workflows/*.yml', { cwd: root })
const workflow = (file: string) => parse(read(file)) as Workflow
const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> }

describe.each(files)('%s', file => {
  const { permissions, jobs } = workflow(file)
  const steps = Object.values(jobs).flatMap(job => job.steps)

  test('actions are pinned to commits, with the version for people behind them', () => {
    const uses = read(file).match(/uses: .+/g) ?? []
    expect(uses.length).toBe(steps.filter(step => step.uses).length)
    expect(uses.filter(use => !/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(use))).toEqual([])
  })

  test('every job has only the rights that it names, and an end', () => {
    expect(permissions).toEqual({})
    for (const job of Object.values(jobs)) {
      expect(job.permissions).toBeDefined()
      expect(job['timeout-minutes']).toBeGreaterThan(0)
    }
  })

  test('scripts stop at the first failure, and take values from variables alone: a tag is text of others', () => {
    const runs = steps.flatMap(({ run }) => (run === undefined ? [] : [run]))
    expect(runs.filter(run => run.includes('\n') && !run.startsWith('set -euo pipefail\n'))).toEqual([])
    expect(runs.filter(run => run.includes(`$\{{`))).toEqual([])
  })

  test('npm scripts, and files of ours, that it uses are there', () => {
    const text = steps.map(({ run }) => run ?? '').join('\n')
    const used = [...text.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(match => match[1]!)
    expect(used.length).toBeGreaterThan(1)
    expect(used.filter(script => !(script in scripts))).toEqual([])
    const paths = [...text.matchAll(/\bhelm\/mongo2kafka[\w./-]*/g)].map(match => match[0])
    expect(paths.filter(path => globSync(join(root, path)).length === 0)).toEqual([])
  })
})

test('a release is tested before anything of it is published, and nothing but tests runs before', () => {
  const { jobs } = workflow('.github/workflows/release.yml')
  const before = (name: string): string[] => {
    const needs = jobs[name]?.needs
    return needs === undefined ? [] : [needs, ...before(needs)]
  }
  const [first, ...others] = Object.keys(jobs)
  expect(first).toBe('test')
  expect(jobs.test?.permissions).toEqual({ contents: 'read' })
  for (const name of others) expect(before(name), name).toContain('test')
})
