import { defineConfig } from 'vitest/config'

/** The network suite: not part of `npm test`, because it takes root and minutes (test/network/transfers.net.ts). */
export default defineConfig({
  test: {
    include: ['test/network/**/*.net.ts'],
    testTimeout: 180_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
})
