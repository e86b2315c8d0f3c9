import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { violations } from '../structure/rules.ts'
import { parse } from '../structure/syntax.ts'

const bench = new URL('../../bench/', import.meta.url).pathname

/** Of the rules of src those that are about how code reads; time, processes and the console are the bench's matter. */
const kept = /^(files have at most|functions have at most|no any|no barrels|no default exports|no TO)/

test('the bench keeps the sizes and the style of src', () => {
  const files = globSync('*.ts', { cwd: bench }).sort()
  expect(files.length).toBeGreaterThan(20)
  const found = files.flatMap(path => violations(parse(path, readFileSync(bench + path, 'utf8'))))
  expect(found.filter(({ rule }) => kept.test(rule)).map(({ file, line, rule }) => `${file}:${line} ${rule}`)).toEqual(
    [],
  )
})
