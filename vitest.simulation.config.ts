import { defineConfig } from 'vitest/config'

/** Many seeds of the simulation: the script `test:simulation`. Needs no servers. */
export default defineConfig({
  test: {
    include: ['test/simulation/*.simulation.ts'],
    maxWorkers: 2,
    testTimeout: 1_800_000,
    experimental: { viteModuleRunner: false }, // Node's own modules: every import is a lookup less.
  },
})
