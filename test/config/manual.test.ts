import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { manual } from '../../src/config/manual.ts'

test('docs/configuration.md is what the schema says (vitest run test/config -u writes it)', async () => {
  await expect(manual()).toMatchFileSnapshot('../../docs/configuration.md')
})

test('the full example shows every setting of the manual', () => {
  const full = readFileSync('config/full.yaml', 'utf8')
  const settings = [...manual().matchAll(/^\| `([\w.]+)` \|/gm)].map(match => match[1]!)
  expect(settings.length).toBeGreaterThan(40)
  for (const setting of settings) expect(full).toMatch(new RegExp(`\\b${setting.split('.').at(-1)}:`))
})
