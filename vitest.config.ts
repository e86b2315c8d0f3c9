import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/services.ts'],
    maxWorkers: 2,
    // Safety nets, and not what is tested: on two busy cores a broker alone may take a minute to start.
    testTimeout: 300_000,
    hookTimeout: 400_000,
  },
})
