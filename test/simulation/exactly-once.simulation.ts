import { test } from 'vitest'
import { runSeeds, scenarios } from './plans.ts'

const ofExactlyOnce = Object.entries(scenarios).filter(([, { delivery }]) => delivery === 'exactly-once')
const seeds = 20_000

test.each(ofExactlyOnce)('%s', async (_name, scenario) => {
  await runSeeds(scenario, 1_000_000, Math.ceil(seeds / ofExactlyOnce.length))
})
