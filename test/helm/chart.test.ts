import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { layered, readChart, root, valuesFiles } from './chart.ts'

test('the chart has the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const chart = parse(readChart('Chart.yaml')) as { version: string; appVersion: string; description: string }
  expect(chart).toMatchObject({ version, appVersion: version })
})

test('there are values files for the ways in which people run it', () => {
  const names = valuesFiles().map(({ name }) => name)
  expect(names).toEqual(['everything', 'file', 'minimal', 'production', 'static', 'workers-kafka'])
})

test('the values files know every value', () => {
  const defaults = parse(readChart('values.yaml')) as Record<string, unknown>
  const used = new Set(valuesFiles().flatMap(({ values }) => Object.keys(values)))
  expect(Object.keys(defaults).filter(key => !used.has(key))).toEqual(['securityContext'])
})

test('values are laid over each other as Helm does', () => {
  const base = { a: { b: 1, c: 2 }, list: [1, 2], keep: true, gone: 1 }
  expect(layered(base, { a: { c: 3 }, list: [3], gone: null })).toEqual({ a: { b: 1, c: 3 }, list: [3], keep: true })
})
