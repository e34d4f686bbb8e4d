import { defineConfig } from 'vitest/config'

/** The fuzz suite: not part of `npm test`, because it takes as long as it is given (test/fuzz/decoders.fuzz.ts). */
export default defineConfig({
  test: {
    include: ['test/fuzz/**/*.fuzz.ts'],
    testTimeout: 60_000,
    pool: 'forks',
  },
})
