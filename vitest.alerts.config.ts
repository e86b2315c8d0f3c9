import { defineConfig } from 'vitest/config'

/** The rules in promtool: the script `test:alerts`. */
export default defineConfig({
  test: {
    include: ['test/alerts/**/*.test.ts', 'test/alerts/**/*.alerts.ts'],
    maxWorkers: 1,
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
})
