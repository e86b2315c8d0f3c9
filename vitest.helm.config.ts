import { defineConfig } from 'vitest/config'

/** The chart, with tools that are built once and kept: the scripts `test:helm` and `test:k8s`. */
export default defineConfig({
  test: {
    include: ['test/helm/**/*.helm.ts', 'test/k8s/**/*.k8s.ts'],
    fileParallelism: false,
    // Safety nets: kube-apiserver alone takes ten minutes to build on two cores, more where they are busy.
    testTimeout: 600_000,
    hookTimeout: 7_200_000,
  },
})
