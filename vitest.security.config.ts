import { defineConfig } from 'vitest/config'

/** What attacks a running daemon for minutes: the script `test:security`. */
export default defineConfig({
  test: {
    include: ['test/security/**/*.test.ts', 'test/security/**/*.security.ts'],
    globalSetup: ['test/services.ts'],
    maxWorkers: 1,
    testTimeout: 900_000,
    hookTimeout: 600_000,
  },
})
