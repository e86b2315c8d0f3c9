import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { coveredBy, crossCutting, mirrorFaults } from './structure/coverage.ts'
import { cycles } from './structure/cycles.ts'
import { mayImport } from './structure/rooms.ts'
import { violations } from './structure/rules.ts'
import { parse, type SourceFile } from './structure/syntax.ts'

const root = new URL('..', import.meta.url).pathname
const files = list('src/**/*.ts').map(path => parse(path.slice('src/'.length), readFileSync(root + path, 'utf8')))

function list(pattern: string): string[] {
  return globSync(pattern, { cwd: root }).sort()
}

/** The violations of a snippet at `path`, as `line rule`. */
function check(path: string, ...lines: string[]): string[] {
  return violations(parse(path, lines.join('\n'))).map(({ line, rule }) => `${line} ${rule}`)
}

describe('src is in order', () => {
  test('every file keeps the rules of docs/architecture.md', () => {
    expect(files.length).toBeGreaterThan(20)
    const found = files.flatMap(violations).map(({ file, line, rule, remedy }) => `${file}:${line} ${rule} — ${remedy}`)
    expect(found).toEqual([])
  })

  test('no file imports itself by a detour', () => {
    expect(cycles(files).map(path => path.join(' → '))).toEqual([])
  })

  test('test mirrors src', () => {
    const tests = list('test/**/*.ts').map(path => parse(path, readFileSync(root + path, 'utf8')))
    expect(mirrorFaults(files, tests, coveredBy, crossCutting)).toEqual([])
  })

  test('nothing is left to be done later in the tests', () => {
    const leftover = new RegExp(`\\b(TO${'DO'}|FIX${'ME'})\\b`)
    expect(list('test/**/*.ts').filter(path => leftover.test(readFileSync(root + path, 'utf8')))).toEqual([])
  })
})

describe('the checker finds', () => {
  test('imports across rooms, of values, types, re-exports and dynamic ones', () => {
    const rule = 'sink must not import source/source.ts'
    expect(check('sink/a.ts', "import type { Source } from '../source/source.ts'")).toEqual([`1 ${rule}`])
    expect(check('sink/kafka/a.ts', '', "import { x } from '../../source/source.ts'")).toEqual([`2 ${rule}`])
    expect(check('sink/a.ts', "export { x } from '../source/source.ts'")).toEqual([`1 ${rule}`])
    expect(check('sink/a.ts', "const x = await import('../source/source.ts')")).toEqual([`1 ${rule}`])
    expect(check('sink/a.ts', "type X = import('../source/source.ts').Source")).toEqual([`1 ${rule}`])
    expect(check('log.ts', "import { x } from './sink/sink.ts'")).toEqual(['1 a word must not import sink/sink.ts'])
  })

  test.each([
    ['source/reader.ts', 'bson/walk.ts', true],
    ['source/reader.ts', 'event.ts', true],
    ['source/reader.ts', 'encode/encode.ts', false],
    ['encode/json.ts', 'bson/walk.ts', true],
    ['bson/walk.ts', 'event.ts', false],
    ['sink/kafka/producer.ts', 'sink/sink.ts', true],
    ['sink/kafka/producer.ts', 'bson/walk.ts', false],
    ['pipeline/stream.ts', 'sink/sink.ts', true],
    ['pipeline/stream.ts', 'sink/kafka/producer.ts', false],
    ['pipeline/stream.ts', 'config/schema.ts', false],
    ['admin/server.ts', 'status.ts', true],
    ['admin/server.ts', 'pipeline/pipeline.ts', false],
    ['services/kafka.ts', 'config/schema.ts', false],
    ['cli/run.ts', 'sink/kafka/producer.ts', true],
    ['cli/run.ts', 'main.ts', false],
    ['main.ts', 'cli/run.ts', true],
    ['retry.ts', 'clock.ts', true],
    ['retry.ts', 'sink/sink.ts', false],
  ])('whether %s may import %s: %s', (from, to, allowed) => {
    expect(mayImport(from, to)).toBe(allowed)
  })

  test('drivers outside of their rooms, and unknown packages', () => {
    expect(check('pipeline/a.ts', "import { MongoClient } from 'mongodb'")).toHaveLength(1)
    expect(check('cli/demo.ts', "import type { Kafka } from 'kafkajs'")).toHaveLength(1)
    expect(check('checkpoint/file.ts', "import { Kafka } from 'kafkajs'")).toHaveLength(1)
    expect(check('sink/a.ts', "import { x } from 'left-pad/sub'")).toEqual([
      '1 left-pad is not a dependency known here',
    ])
    expect(check('checkpoint/kafka-store.ts', "import { Kafka } from 'kafkajs'")).toEqual([])
    expect(check('source/a.ts', "import { MongoClient } from 'mongodb'")).toEqual([])
    expect(check('sink/a.ts', "import { readFile } from 'fs/promises'")).toEqual([
      '1 fs is not a dependency known here',
    ])
  })

  test.each([
    'const a = Date.now()',
    'const a = new Date()',
    'const a = Date()',
    'const a = Math.random()',
    "const a = Math['random']()",
    'const a = [1].map(Math.random)',
    'setTimeout(() => {}, 1)',
    'globalThis.setTimeout(() => {}, 1)',
    'const wait = setInterval',
    'setImmediate(() => {})',
    'const a = performance.now()',
    'const a = process.hrtime.bigint()',
    'const a = AbortSignal.timeout(1)',
    "import { setTimeout } from 'node:timers/promises'",
    "import { performance } from 'node:perf_hooks'",
    "import { randomUUID } from 'node:crypto'",
  ])('time and chance outside of clock.ts: %s', line => {
    expect(check('pipeline/a.ts', line)).toContain('1 time and chance come only from clock.ts')
    expect(check('clock.ts', line)).toEqual([])
  })

  test('but lets pass what only looks like it', () => {
    expect(check('source/a.ts', "import { setImmediate } from 'node:timers/promises'", 'await setImmediate()')).toEqual(
      [],
    )
    expect(check('pipeline/a.ts', 'socket.setTimeout(5)', 'const x = { setTimeout: 1 }', 'new Date(5)')).toEqual([])
    expect(check('pipeline/a.ts', "// Date.now() and 'setTimeout'", "const a = 'process.env, any'")).toEqual([])
    expect(check('pipeline/a.ts', "import { createHash } from 'node:crypto'")).toEqual([])
  })

  test('the environment outside of config/', () => {
    const rule = 'process.env is read only in config/'
    expect(check('services/a.ts', 'const x = process.env.HOME')).toEqual([`1 ${rule}`])
    expect(check('main.ts', 'run(process.env)')).toEqual([`1 ${rule}`])
    expect(check('cli/a.ts', "run(globalThis.process['env'])")).toEqual([`1 ${rule}`])
    expect(check('config/env.ts', 'export const env = process.env')).toEqual([])
    expect(check('sink/a.ts', 'const { env } = process')).toEqual(['1 process is used by its global name'])
    expect(check('sink/a.ts', "import { env } from 'node:process'")).toEqual(['1 process is used by its global name'])
  })

  test('signals and exits outside of main.ts', () => {
    expect(check('cli/run.ts', "process.on('SIGTERM', f)")).toEqual(['1 process.on stands only in main.ts'])
    expect(check('sink/a.ts', 'process.exit(1)')).toEqual(['1 process.exit stands only in main.ts'])
    expect(check('sink/a.ts', 'process.exitCode = 1')).toEqual(['1 process.exitCode stands only in main.ts'])
    expect(check('services/a.ts', "process.once('SIGINT', f)")).toEqual(['1 process.once stands only in main.ts'])
    expect(check('services/a.ts', "process.once('exit', f)", 'process.kill(3)')).toEqual([])
    expect(check('main.ts', "process.on('SIGTERM', f)", 'process.exitCode = 1')).toEqual([])
  })

  test('default exports, barrels and any', () => {
    expect(check('sink/a.ts', 'export default 1')).toEqual(['1 no default exports'])
    expect(check('sink/a.ts', 'const a = 1', 'export { a as default }')).toEqual(['2 no default exports'])
    expect(check('sink/a.ts', "export * from './b.ts'")).toEqual(['1 no barrels'])
    expect(check('sink/a.ts', "export * as b from './b.ts'")).toEqual(['1 no barrels'])
    expect(check('sink/a.ts', 'const a = 1', 'function f(x: Map<string, any>) {}')).toEqual(['2 no any'])
    expect(check('sink/a.ts', 'const anything = "any"')).toEqual([])
  })

  test('files and functions that are too long, and allows the limits themselves', () => {
    const body = (lines: number) => Array.from({ length: lines }, () => '  f()')
    expect(check('sink/a.ts', ...body(300), '')).toEqual([])
    expect(check('sink/a.ts', ...body(301))).toEqual(['1 files have at most 300 lines, this one 301'])
    expect(check('sink/a.ts', 'function g() {', ...body(68), '}')).toEqual([])
    const rule = 'functions have at most 70 lines, this one 71'
    expect(check('sink/a.ts', '', 'function g() {', ...body(69), '}')).toEqual([`2 ${rule}`])
    expect(check('sink/a.ts', 'const g = () => {', ...body(69), '}')).toEqual([`1 ${rule}`])
    expect(check('sink/a.ts', 'class A {', '  m() {', ...body(69), '  }', '}')).toEqual([`2 ${rule}`])
  })

  test('files without a place, and work left for later', () => {
    expect(check('helpers.ts', '')).toHaveLength(1)
    expect(check('utils/a.ts', '')).toHaveLength(1)
    expect(check('sink/a.ts', 'f()', `// TO${'DO'}: more`)).toEqual([`2 no TO${'DO'}`])
  })

  test('cycles, of types too, and each only once', () => {
    const file = (path: string, ...from: string[]): SourceFile =>
      parse(path, from.map(name => `import type { X } from '${name}'`).join('\n'))
    expect(cycles([file('a.ts', './b.ts'), file('b.ts', './c/d.ts'), file('c/d.ts', '../a.ts', './e.ts')])).toEqual([
      ['a.ts', 'b.ts', 'c/d.ts', 'a.ts'],
    ])
    expect(cycles([file('a.ts', './b.ts', './c.ts'), file('b.ts', './c.ts'), file('c.ts')])).toEqual([])
  })

  test('logic without a test, tests of nothing, and coverage that is only claimed', () => {
    const logic = 'export const f = () => 1'
    const faultsOf = (files: SourceFile[], its: SourceFile[], covered: Record<string, string>) =>
      mirrorFaults(files, its, covered, ['test/integration/', 'test/gone.test.ts']).filter(fault => !/gone/.test(fault))
    expect(mirrorFaults([], [], {}, ['test/gone.test.ts'])).toEqual([
      'crossCutting names test/gone.test.ts, which is not there',
    ])
    const sources = [parse('sink/a.ts', logic), parse('sink/b.ts', 'export type B = 1'), parse('sink/d.ts', logic)]
    const tests = [
      parse('test/sink/c.test.ts', "import { b } from '../../src/sink/b.ts'"),
      parse('test/integration/x.test.ts', ''),
    ]
    expect(
      faultsOf(sources, tests, { 'sink/d.ts': 'test/sink/c.test.ts', 'sink/e.ts': 'test/sink/c.test.ts' }),
    ).toEqual([
      'src/sink/a.ts has logic and no test: write test/sink/a.test.ts',
      'src/sink/d.ts is not reached by test/sink/c.test.ts, which coveredBy names',
      'coveredBy names src/sink/e.ts, which is not there',
      'test/sink/c.test.ts mirrors no file of src: rename it after the file it tests',
    ])
    const reached = [parse('sink/a.ts', `import { f } from './d.ts'\n${logic}`), parse('sink/d.ts', logic)]
    const own = [parse('test/sink/a.test.ts', "import { f } from '../../src/sink/a.ts'")]
    expect(faultsOf(reached, own, {})).toEqual([])
    const elsewhere = [parse('test/integration/a.test.ts', "import { f } from '../../src/sink/a.ts'")]
    expect(faultsOf(reached, elsewhere, {})).toHaveLength(2)
    const claims = { 'sink/a.ts': 'test/integration/a.test.ts', 'sink/d.ts': 'test/integration/a.test.ts' }
    expect(faultsOf(reached, elsewhere, claims)).toEqual([])
  })
})
