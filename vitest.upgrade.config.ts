import { defineConfig } from 'vitest/config'

/** The upgrade suite: what earlier versions left behind, and an earlier holder; see test/upgrade. */
export default defineConfig({
  test: {
    include: ['test/upgrade/**/*.upgrade.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
  },
})
