import { defineConfig } from 'vitest/config'

/** The container suite: not part of `npm test`, because it needs a Docker engine (test/containers/support/stack.ts). */
export default defineConfig({
  test: {
    include: ['test/containers/**/*.containers.ts'],
    globalSetup: ['test/containers/support/stack.ts'],
    // One venue for all of them, and each leaves it as it was.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    pool: 'forks',
  },
})
