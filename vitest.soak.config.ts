import { defineConfig } from 'vitest/config'

/** The soak: not part of `npm test`, because it takes as long as its rounds do (test/soak/rounds.soak.ts). */
export default defineConfig({
  test: {
    include: ['test/soak/**/*.soak.ts'],
    pool: 'forks',
  },
})
