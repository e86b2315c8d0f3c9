import { defineConfig } from 'vitest/config'

/** Integration tests that `npm test` has no time for: the script `test:long`. */
export default defineConfig({
  test: {
    include: ['test/**/*.long.ts'],
    globalSetup: ['test/services.ts'],
    maxWorkers: 1,
    testTimeout: 1_800_000,
    hookTimeout: 400_000,
  },
})
