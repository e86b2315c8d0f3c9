import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { breed, mutants } from './mutants.ts'

// The daemons themselves are run by `npm run test:faults:mutants`; this only keeps the list true while src changes.
test.each(mutants)('the source still has the place to break: $name', async mutant => {
  await using broken = await breed(mutant)
  const text = await readFile(broken.main.replace('main.ts', mutant.file), 'utf8')
  expect(text).toContain(mutant.to)
})
