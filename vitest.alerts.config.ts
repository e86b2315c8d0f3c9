import { defineConfig } from 'vitest/config'

/** Rules in promtool, and a real Prometheus before a real daemon: the script `test:alerts`. */
export default defineConfig({
  test: {
    include: ['test/alerts/**/*.test.ts', 'test/alerts/**/*.alerts.ts'],
    globalSetup: ['test/services.ts'],
    maxWorkers: 1,
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
})
