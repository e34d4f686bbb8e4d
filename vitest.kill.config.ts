import { defineConfig } from 'vitest/config'

/** Processes that are killed at random moments: not part of `npm test`, because it takes as long as it has rounds (test/kill). */
export default defineConfig({
  test: {
    include: ['test/kill/**/*.kill.ts'],
    testTimeout: 7_200_000,
    hookTimeout: 120_000,
    pool: 'forks',
  },
})
