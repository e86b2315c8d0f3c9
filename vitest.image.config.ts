import { defineConfig } from 'vitest/config'

/** What .ci/image.sh has installed, and the lints of what makes the image: the script `test:image`. */
export default defineConfig({
  test: {
    include: ['test/image/**/*.image.ts'],
    globalSetup: ['test/services.ts'],
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
})
