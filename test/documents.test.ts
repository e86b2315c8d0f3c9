import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { remedies } from '../src/errors.ts'
import { createMetrics } from '../src/observe/metrics.ts'

const root = new URL('..', import.meta.url).pathname
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const documents = [...globSync('*.md', { cwd: root }), ...globSync('docs/**/*.md', { cwd: root })].sort()

interface PackageJson {
  readonly version: string
  readonly files: readonly string[]
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
const packageJson = JSON.parse(read('package.json')) as PackageJson

test('docs/dependencies.md gives a reason for each dependency, and for nothing else', () => {
  const [production = '', optional = '', development = ''] = read('docs/dependencies.md').split(
    /## (?:Optional at run time|For development only)/,
  )
  const reasons = (section: string) => [...section.matchAll(/^\| `([^`]+)` \| .{20,} \|$/gm)].map(match => match[1])
  expect(reasons(production)).toEqual(Object.keys(packageJson.dependencies))
  expect(reasons(optional)).toEqual(Object.keys(packageJson.optionalDependencies))
  expect(reasons(development)).toEqual(Object.keys(packageJson.devDependencies))
})

test('every dependency has an exact version', () => {
  const { dependencies, optionalDependencies, devDependencies } = packageJson
  for (const [name, version] of Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
  }
})

test('what package.json ships is there', () => {
  const built = ['dist']
  expect(packageJson.files.filter(path => !built.includes(path) && !existsSync(join(root, path)))).toEqual([])
})

describe('README.md', () => {
  const readme = read('README.md')

  test('shows config/minimal.yaml as it is, in about 20 lines', () => {
    const shown = /<!-- config\/minimal.yaml -->\n```yaml\n([\s\S]*?)```/.exec(readme)?.[1]
    expect(shown).toBe(read('config/minimal.yaml'))
    expect(shown?.trimEnd().split('\n').length).toBeLessThanOrEqual(25)
  })

  test('names only error codes and npm scripts that exist', () => {
    const codes = [...readme.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(match => match[1]!)
    const variables = codes.filter(code => code.startsWith('M2K_'))
    expect(codes.filter(code => !(code in remedies) && !variables.includes(code))).toEqual([])
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const used = [...readme.matchAll(/npm (?:run (\w+)|(test|start))/g)].map(match => match[1] ?? match[2]!)
    expect(used.length).toBeGreaterThan(3)
    expect(used.filter(script => !(script in scripts))).toEqual([])
  })
})

test('docs/metrics.md explains each metric, and no other', async () => {
  const text = await createMetrics({ version: '1' }).text()
  const ours = [...text.matchAll(/^# TYPE mongo2kafka_(\w+)/gm)].map(match => match[1]!)
  const explained = [...read('docs/metrics.md').matchAll(/`([a-z0-9_]+)(?:\{[a-z,]+\})?`/g)].map(match => match[1]!)
  expect(ours.filter(name => !explained.includes(name))).toEqual([])
  const names = explained.filter(name => /_(total|seconds|bytes|ratio|records|state|info)$/.test(name))
  const others = [...text.matchAll(/^# TYPE ((?:process|nodejs)_\w+)/gm)].map(match => match[1]!)
  expect(names.filter(name => ![...ours, ...others].includes(name))).toEqual([])
})

test('the changelog begins with this version', () => {
  expect(/^## (\S+?),? /m.exec(read('CHANGELOG.md'))?.[1]).toBe(packageJson.version)
})

test('LICENSE is the Apache License 2.0', () => {
  const license = read('LICENSE')
  expect(license).toContain('Apache License')
  expect(license).toContain('END OF TERMS AND CONDITIONS')
  expect(license).toMatch(/Copyright \d{4} mongo2kafka authors/)
})

test.each(documents)('%s links only to files that are there', path => {
  const links = [...read(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(match => match[1]!)
  const local = links.filter(link => !/^[a-z]+:/.test(link))
  expect(local.filter(link => !existsSync(join(root, dirname(path), link)))).toEqual([])
})
