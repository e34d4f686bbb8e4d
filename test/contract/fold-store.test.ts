import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { someCandidates, someJob, someManifest, someRound } from './coordinator-fixtures.ts'
import { describeFoldStore } from './fold-store.contract.ts'
import { createPostgresDatabase, noPostgresReason } from './postgres-server.ts'

describeFoldStore('PGlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-store-'))
  return {
    open: () => openCoordinatorStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  }
})

if (noPostgresReason) describe('FoldStore on PostgreSQL', () => void it.skip(noPostgresReason!, () => {}))
else {
  describeFoldStore('PostgreSQL', async () => {
    const { url, drop } = await createPostgresDatabase()
    return { open: () => openCoordinatorStore({ databaseUrl: url }), remove: drop }
  })

  describe('two stores over one PostgreSQL database', () => {
    it('give each part to one of them, and tell each other', async () => {
      const { url, drop } = await createPostgresDatabase()
      const stores = await Promise.all([1, 2].map(() => openCoordinatorStore({ databaseUrl: url })))
      const [here, there] = stores
      const { job, envelope } = someJob()
      await here.addJob(job, envelope, new Date())
      const round = someRound(job)
      await here.addRound(round)
      await here.setRoundPhase(round.planDigest, 'checking', { candidates: someCandidates(round) })
      await here.setRoundPhase(round.planDigest, 'sealed', { manifest: someManifest(round) })
      let heard = 0
      const stop = there.onFoldChange(() => void heard++)
      // Until the listener's connection stands nothing is heard.
      for (const end = Date.now() + 15_000; heard === 0 && Date.now() < end; ) {
        await here.addFoldParts(round.planDigest, 64)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      expect(heard).toBeGreaterThan(0)
      const takeAll = async (store: (typeof stores)[number], name: string) => {
        const parts: number[] = []
        for (let taken = await store.claimFoldPart(name, 60_000); taken; ) {
          parts.push(taken.part)
          taken = await store.claimFoldPart(name, 60_000)
        }
        return parts
      }
      const taken = await Promise.all(
        stores.flatMap((store, i) => [0, 1, 2, 3].map((j) => takeAll(store, `${i} ${j}`))),
      )
      expect(taken.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, i) => i))
      stop()
      await Promise.all(stores.map((store) => store.close()))
      await drop()
    })
  })
}
