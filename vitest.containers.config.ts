import { defineConfig } from 'vitest/config'

/** The container suite: not part of `npm test`, because it needs a Docker engine (test/containers/support/stack.ts). */
export default defineConfig({
  test: {
    include: ['test/containers/**/*.containers.ts'],
    globalSetup: ['test/containers/support/stack.ts'],
    // One venue for all of them, and each leaves it as it was.
    fileParallelism: false,
    // Far above what a test takes on a machine of its own: some share theirs.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
  },
})
