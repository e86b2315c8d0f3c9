import { defineConfig } from 'vitest/config'

/** The rules in promtool, and in a Prometheus before a daemon: the script `test:alerts`. */
export default defineConfig({
  test: {
    include: ['test/alerts/**/*.test.ts', 'test/alerts/**/*.alerts.ts'],
    globalSetup: ['test/services.ts'],
    maxWorkers: 1,
    // Safety nets, for a machine that is busy with other things.
    testTimeout: 3_600_000,
    hookTimeout: 900_000,
  },
})
