import { test } from 'vitest'
import { runSeeds, scenarios } from './plans.ts'

const ofAtLeastOnce = Object.entries(scenarios).filter(([, { delivery }]) => delivery === 'at-least-once')
const seeds = 20_000

test.each(ofAtLeastOnce)('%s', async (_name, scenario) => {
  await runSeeds(scenario, 1_000_000, Math.ceil(seeds / ofAtLeastOnce.length))
})
