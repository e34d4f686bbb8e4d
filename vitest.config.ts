import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Tests wait as often as they compute: two files at a time where there are two processors, too.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
