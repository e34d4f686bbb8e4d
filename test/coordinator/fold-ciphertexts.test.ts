/** Adding ciphertexts up: alone, together, after deaths and faults. Real workers, blobs and residues; the store is in memory. */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { foldCiphertexts } from '../../src/coordinator/fold-ciphertexts.ts'
import { type FoldListener, helpToFold, type SharedFolding } from '../../src/coordinator/fold-claims.ts'
import { type FoldClaim, PART_CHUNKS, partOfSum, SUM } from '../../src/coordinator/ports.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { MemoryPlace, openMemoryCoordinatorStore } from '../../src/store/memory-coordinator-store.ts'
import { StoreError } from '../../src/store/store-error.ts'
import { storesOver } from '../../src/store/stores-over.ts'
import { type SealedPayloads, sealPayloads } from '../support/sealed-payloads.ts'

const NAMES = ['basel', 'bern', 'zurich']
/** Three parts, the last of three chunks. */
const CHUNKS = 2 * PART_CHUNKS + 3

const directory = mkdtempSync(join(tmpdir(), 'sluice-fold-'))
const place = new MemoryPlace()
const never = new AbortController().signal
let pools: PayloadWorkers[]
let blobs: Awaited<ReturnType<typeof openDirectoryBlobStore>>
let large: SealedPayloads

/** What one process has: everything of its own but what lies in the store and the blobs. */
function process(pool: number, changes: Partial<SharedFolding> = {}): SharedFolding {
  const { spool, openings } = storesOver(blobs)
  return { store: openMemoryCoordinatorStore(place), spool, openings, workers: pools[pool], ...changes }
}

function seal(chunks: number): Promise<SealedPayloads> {
  const { spool } = storesOver(blobs)
  return sealPayloads(chunks, NAMES, { store: openMemoryCoordinatorStore(place), spool, workers: pools[0] })
}

/** A process that helps until `stop`. */
function startHelper(parts: SharedFolding) {
  const stopping = new AbortController()
  const folded: FoldClaim[] = []
  const faults: unknown[] = []
  const listener: FoldListener = {
    onFolded: (claim) => void folded.push(claim),
    onFault: (error) => void faults.push(error),
  }
  const ended = helpToFold(parts, listener, stopping.signal)
  const stop = async () => {
    stopping.abort()
    await ended
  }
  return { folded, faults, stop }
}

beforeAll(async () => {
  pools = await Promise.all([1, 2, 3].map(() => startPayloadWorkers({ threads: 1 })))
  blobs = await openDirectoryBlobStore(directory)
})
afterAll(async () => {
  await Promise.all(pools.map((each) => each.close()))
  await rm(directory, { recursive: true })
})
afterEach(async () => {
  if (large) await openMemoryCoordinatorStore(place).setRoundPhase(large.round.planDigest, 'abandoned', { reason: '' })
})

async function until(isTrue: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !isTrue() && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(isTrue()).toBe(true)
}

describe('the sum of a payload of one part', () => {
  it('is added up by whoever runs the round, without a row', async () => {
    large = await seal(2)
    const { round, sum } = large
    const parts = process(0)
    const unasked = { ...parts.store, addFoldParts: async () => expect.unreachable('a row was put up') }
    expect(await foldCiphertexts(round, { ...parts, store: unasked }, never)).toBe(sum)
    expect((await parts.openings.stat(round.planDigest, SUM))?.digest).toBe(sum)
  })
})

describe('the sum of a payload of several parts', () => {
  it('is the same bytes when one process adds it up, and leaves nothing but itself', async () => {
    large = await seal(CHUNKS)
    const { round, sum } = large
    expect(await foldCiphertexts(round, process(0), never)).toBe(sum)
    const keys = await blobs.list(`openings/${round.planDigest}`)
    expect(new Set(keys.map((key) => key.split('/')[2]))).toEqual(new Set([SUM]))
    // Whoever takes the round over then finds it.
    const unread = { ...process(1).spool, read: async () => expect.unreachable('it was added up again') }
    expect(await foldCiphertexts(round, process(1, { spool: unread }), never)).toBe(sum)
  })

  it('is the same bytes when two coordinators, one of which has lost the round, and a helper add it up', async () => {
    large = await seal(CHUNKS)
    const { round, sum } = large
    await process(2).store.addFoldParts(round.planDigest, 3)
    const helper = startHelper(process(2))
    const sums = await Promise.all([0, 1].map((pool) => foldCiphertexts(round, process(pool), never)))
    expect(sums).toEqual([sum, sum])
    await until(() => helper.folded.length > 0)
    await helper.stop()
    expect(helper.faults).toEqual([])
  })

  it('is found by a life of the round whose parts another one has joined and deleted beneath it', async () => {
    large = await seal(CHUNKS)
    const { round, sum } = large
    const overtaker = process(0)
    const overtaken = process(1)
    const isReading = Promise.withResolvers<void>()
    const isJoined = Promise.withResolvers<void>()
    const openings: typeof overtaken.openings = {
      ...overtaken.openings,
      read: async (plan, name, offset, bytes) => {
        if (name === partOfSum(2)) {
          isReading.resolve()
          await isJoined.promise
        }
        return overtaken.openings.read(plan, name, offset, bytes)
      },
    }
    const second = foldCiphertexts(round, { ...overtaken, openings }, never)
    await isReading.promise
    expect(await foldCiphertexts(round, overtaker, never)).toBe(sum)
    isJoined.resolve()
    expect(await second).toBe(sum)
  })

  it('is found when it becomes whole in the moment in which it would be begun', async () => {
    for (const chunks of [2, CHUNKS]) {
      large = await seal(chunks)
      const { round, sum } = large
      const overtaken = process(1)
      const openings: typeof overtaken.openings = {
        ...overtaken.openings,
        open: async (plan, name, parameters) => {
          if (name === SUM) await foldCiphertexts(round, process(0), never)
          return overtaken.openings.open(plan, name, parameters)
        },
      }
      expect(await foldCiphertexts(round, { ...overtaken, openings }, never)).toBe(sum)
    }
  })

  it('is not joined any more by a life that has lost the round', async () => {
    large = await seal(CHUNKS)
    const { round } = large
    const parts = process(0)
    const losing = new AbortController()
    const openings: typeof parts.openings = {
      ...parts.openings,
      read: async (plan, name, offset, bytes) => {
        if (name === partOfSum(2)) losing.abort(new Error('another has it'))
        return parts.openings.read(plan, name, offset, bytes)
      },
    }
    await expect(foldCiphertexts(round, { ...parts, openings }, losing.signal)).rejects.toThrow('another has it')
    expect(await parts.openings.stat(round.planDigest, SUM)).toBeUndefined()
    expect(await parts.openings.stat(round.planDigest, partOfSum(2))).toBeDefined()
  })

  it('waits for a part that a dead process has claimed until the claim is over, and not longer', async () => {
    large = await seal(CHUNKS)
    const { round, sum } = large
    const parts = process(0)
    await parts.store.addFoldParts(round.planDigest, 3)
    const dead = (await parts.store.claimFoldPart('dead', 1500))!
    const since = performance.now()
    expect(dead.part).toBe(0)
    expect(await foldCiphertexts(round, parts, never)).toBe(sum)
    expect(performance.now() - since).toBeGreaterThan(1400)
  })

  it('goes on from the parts that an earlier life has added up', async () => {
    large = await seal(CHUNKS)
    const { round, sum } = large
    const dying = new AbortController()
    const first = process(0)
    let finished = 0
    const store = {
      ...first.store,
      finishFoldPart: async (...which: Parameters<typeof first.store.finishFoldPart>) => {
        await first.store.finishFoldPart(...which)
        finished++
        dying.abort(new Error('it dies'))
      },
    }
    await expect(foldCiphertexts(round, { ...first, store }, dying.signal)).rejects.toThrow('it dies')
    expect(finished).toBe(1)
    const second = process(1)
    const offsets: number[] = []
    const spool: typeof second.spool = {
      ...second.spool,
      read: (plan, holder, offset, bytes) => {
        offsets.push(offset)
        return second.spool.read(plan, holder, offset, bytes)
      },
    }
    expect(await foldCiphertexts(round, { ...second, spool }, never)).toBe(sum)
    expect(offsets).toHaveLength((CHUNKS - PART_CHUNKS) * NAMES.length)
  })

  it('does not end for a helper that does not reach the ciphertexts: its coordinator adds up what that left', async () => {
    large = await seal(CHUNKS)
    const { round, sum } = large
    const blind = { ...process(1).spool, read: async () => Promise.reject(new StoreError('not-found', 'not here')) }
    await process(1).store.addFoldParts(round.planDigest, 3)
    const helper = startHelper(process(1, { spool: blind }))
    await until(() => helper.faults.length > 0)
    expect(await foldCiphertexts(round, process(0), never)).toBe(sum)
    await helper.stop()
    expect(helper.faults).toMatchObject([{ code: 'not-found' }])
    expect(helper.folded).toEqual([])
  })

  it('is given up for a fault of the round’s own coordinator', async () => {
    large = await seal(CHUNKS)
    const { round } = large
    await process(0).spool.discard(round.planDigest, 'bern')
    await expect(foldCiphertexts(round, process(0), never)).rejects.toMatchObject({ code: 'not-found' })
    expect(await process(0).spool.stat(round.planDigest, 'zurich')).toBeDefined()
  })

  it('is given up when the round is ended meanwhile, and a helper just goes on', async () => {
    large = await seal(CHUNKS)
    const { round } = large
    const parts = process(0)
    const ending: typeof parts.spool = {
      ...parts.spool,
      read: async (...range) => {
        await openMemoryCoordinatorStore(place).setRoundPhase(round.planDigest, 'abandoned', { reason: 'cancelled' })
        await parts.spool.discard(round.planDigest)
        return parts.spool.read(...range)
      },
    }
    await parts.store.addFoldParts(round.planDigest, 3)
    const helper = startHelper({ ...process(1), spool: ending })
    await expect(foldCiphertexts(round, { ...parts, spool: ending }, never)).rejects.toMatchObject({
      code: 'round-abandoned',
    })
    await helper.stop()
    expect(helper.faults).toEqual([])
  })
})
