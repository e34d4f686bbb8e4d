/** The openings of published rounds, in the next life of a coordinator (docs/adr/0011). */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OPENINGS_KEPT, OpenRounds } from '../../src/coordinator/open-rounds.ts'
import type { RoundRecord } from '../../src/coordinator/ports.ts'
import { restoreOpenings } from '../../src/coordinator/published-rounds.ts'
import { openingDigest } from '../../src/protocol/opening.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { StoreError } from '../../src/store/store-error.ts'
import { type BlobStores, storesOver } from '../../src/store/stores-over.ts'
import { someDigest, someRound } from '../contract/coordinator-fixtures.ts'
import { coordinatorKey } from '../support/round-fixtures.ts'

let directory: string
let openings: BlobStores['openings']
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-openings-'))
  openings = storesOver(await openDirectoryBlobStore(directory)).openings
})
afterEach(() => rmSync(directory, { recursive: true }))

const job = someDigest()

async function publish(number: number, stored = (keySum: Uint8Array) => keySum) {
  const { plan, planDigest, planEnvelope } = someRound(job, number)
  const keySum = new Uint8Array(randomBytes(4096))
  const sum = someDigest()
  const publication = signStatement(
    publicationStatement,
    {
      job,
      plan: planDigest,
      manifest: someDigest(),
      contributors: 2,
      aggregate: someDigest(),
      sum,
      opening: openingDigest(keySum, sum),
      hashes: [],
      output: { name: 'model', digest: someDigest() },
    },
    coordinatorKey,
  )
  await openings.putKeySum(planDigest, stored(new Uint8Array(keySum)))
  const record: RoundRecord = {
    planDigest,
    job,
    round: number,
    step: plan.step,
    phase: 'published',
    plan: planEnvelope,
    publication,
  }
  return { planDigest, keySum, record }
}

const flip = (keySum: Uint8Array) => {
  keySum[7] ^= 1
  return keySum
}

describe('openings after a restart', () => {
  it('are had by the holders of their round as before, and announced once', async () => {
    const { planDigest, keySum, record } = await publish(1)
    const openRounds = new OpenRounds()
    expect(await restoreOpenings([record], { openRounds, openings })).toMatchObject([{ planDigest }])
    expect(openRounds.openingFor(planDigest, 'zurich')?.keySum).toEqual(keySum)
    expect(openRounds.openingFor(planDigest, 'basel')).toBeUndefined()
    expect(await restoreOpenings([record], { openRounds, openings })).toEqual([])
  })

  it('are the latest, and make no room for themselves', async () => {
    const all = []
    for (let number = 1; number <= OPENINGS_KEPT + 1; number++) all.push(await publish(number))
    const openRounds = new OpenRounds()
    const running = someRound(someDigest())
    openRounds.publish(running, new Uint8Array(1))
    const restored = await restoreOpenings(
      all.map(({ record }) => record),
      { openRounds, openings },
    )
    expect(restored.map(({ plan }) => plan.round)).toEqual([3, 4, 5, 6, 7, 8, 9])
    expect(openRounds.openingFor(running.planDigest, 'zurich')).toBeDefined()
    // The next that is published is newer than all of them.
    expect(openRounds.publish(someRound(someDigest()), new Uint8Array(1))).toEqual([all[2].planDigest])
  })

  it('are not had when the key sum is damaged, gone, or cannot be read: holders would call the sum wrong', async () => {
    const damaged = await publish(1, flip)
    const gone = await publish(2)
    const sound = await publish(3)
    await openings.discard(gone.planDigest)
    const records = [damaged, gone, sound].map(({ record }) => record)
    const openRounds = new OpenRounds()
    const restored = await restoreOpenings(records, { openRounds, openings })
    expect(restored.map(({ plan }) => plan.round)).toEqual([3])
    const failing = (code: 'corrupt' | 'blobs-unreachable') => ({
      openRounds: new OpenRounds(),
      openings: { ...openings, readKeySum: () => Promise.reject(new StoreError(code, 'no disk')) },
    })
    expect(await restoreOpenings(records, failing('corrupt'))).toEqual([])
    await expect(restoreOpenings(records, failing('blobs-unreachable'))).rejects.toMatchObject({
      code: 'blobs-unreachable',
    })
  })
})
