import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { runbookUrl } from '../../helm/alerts/alert.ts'
import { alerts } from '../../helm/alerts/rules.ts'
import { remedies } from '../../src/errors.ts'

const folder = new URL('../../docs/runbooks/', import.meta.url)
const read = (name: string) => readFileSync(new URL(`${name}.md`, folder), 'utf8')
const pages = globSync('*.md', { cwd: folder })
  .map(path => basename(path, '.md'))
  .filter(name => name !== 'README')
  .sort()
const names = [...alerts.map(({ name }) => name), ...Object.keys(remedies)].sort()

test('every alert and every error code has a page, and every page is of one', () => {
  expect(pages).toEqual(names)
})

test.each(pages)('%s says what it means, how to see it, and what to do', name => {
  const headings = [...read(name).matchAll(/^#+ .*$/gm)].map(match => match[0])
  // Lines of shell scripts begin with # as well.
  const asked = headings.filter(heading => /^# [A-Za-z0-9_]+$|^## /.test(heading))
  expect(asked).toEqual([`# ${name}`, '## What it means', '## How to see it', '## What to do'])
  const parts = read(name)
    .split(/^## .*$/gm)
    .slice(1)
  for (const part of parts) expect(part.trim().length).toBeGreaterThan(20)
})

test('the list has all of them once, and nothing else', () => {
  const listed = [...read('README').matchAll(/^\| \[(\w+)\]\((\w+)\.md\) \| .{5,} \|$/gm)]
  expect(listed.map(match => match[1]).sort()).toEqual(names)
  for (const [, name, target] of listed) expect(target).toBe(name)
})

test('the links of the alerts lead to this folder', () => {
  expect(runbookUrl).toMatch(/^https:\/\/.*\/docs\/runbooks$/)
})

test('the pages name only commands, settings of the log and codes that exist', () => {
  for (const name of [...pages, 'README']) {
    const text = read(name)
    const codes =
      text.match(
        /\b(?:CONFIG|NODE|SOURCE|EVENT|SINK|CHECKPOINT|DEAD|DELIVERY|DRAIN|WORKERS|ADMIN|SERVICE)_[A-Z]+[A-Z_]*\b/g,
      ) ?? []
    expect(
      codes.filter(code => !(code in remedies) && code !== 'CHECKPOINT_URI'),
      name,
    ).toEqual([])
    const commands = [...text.matchAll(/^mongo2kafka (\w+)/gm)].map(match => match[1]!)
    const known = ['status', 'checkpoint', 'validate', 'config', 'resume', 'pause']
    expect(
      commands.filter(command => !known.includes(command)),
      name,
    ).toEqual([])
  }
})
