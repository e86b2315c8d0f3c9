import { defineConfig } from 'vitest/config'

/** What takes too long for every run: the scripts `test:faults:…`. These tests start all they need themselves. */
export default defineConfig({
  test: {
    include: ['test/**/*.faults.ts'],
    maxWorkers: 1,
    testTimeout: 3_600_000,
    hookTimeout: 240_000,
  },
})
