import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/cli/coordinator-process.ts'
import { OPENINGS_KEPT } from '../../src/coordinator/open-rounds.ts'
import type { CoordinatorStore, PayloadSpool } from '../../src/coordinator/ports.ts'
import { keepSwept, sweepPayloads } from '../../src/coordinator/sweep-payloads.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import type { RoundPhase } from '../../src/protocol/coordinator-round.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { openMemoryCoordinatorStore } from '../../src/store/memory-coordinator-store.ts'
import { type BlobStores, storesOver } from '../../src/store/stores-over.ts'
import {
  certify,
  someCandidates,
  someDigest,
  someJob,
  someManifest,
  someRound,
  someStatement,
} from '../contract/coordinator-fixtures.ts'
import { parametersOf, someChunks } from '../contract/payload-spool.contract.ts'

const MINUTE_MS = 60_000
const now = new Date(Date.UTC(2030, 0, 1))
const clock = { ...systemClock, now: () => now }
const PHASES = ['checking', 'sealed', 'certified', 'opened', 'published'] as const

let directory: string
let store: CoordinatorStore
let stores: BlobStores
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-sweep-'))
  store = openMemoryCoordinatorStore()
  stores = storesOver(await openDirectoryBlobStore(directory))
})
afterEach(() => rmSync(directory, { recursive: true }))

const sweep = () => sweepPayloads({ store, ...stores, clock })

async function addJob(endedMinutesAgo?: number): Promise<Digest> {
  const { job, envelope } = someJob()
  await store.addJob(job, envelope, new Date(0))
  await store.setJobState(job, 'running', new Date(0))
  if (endedMinutesAgo !== undefined) await endJob(job, endedMinutesAgo)
  return job
}

async function endJob(job: Digest, minutesAgo: number): Promise<void> {
  await store.setJobState(job, 'completed', new Date(now.getTime() - minutesAgo * MINUTE_MS))
}

/** A round of the job in this phase. */
async function addRound(job: Digest, phase: RoundPhase, number = 1): Promise<Digest> {
  const round = someRound(job, number)
  const { planDigest } = round
  await store.addRound(round)
  if (phase === 'abandoned') await store.setRoundPhase(planDigest, 'abandoned', { reason: 'the holders left' })
  const manifest = someManifest(round)
  for (const next of PHASES.slice(0, PHASES.indexOf(phase as 'sealed') + 1)) {
    if (next === 'checking') await store.setRoundPhase(planDigest, next, { candidates: someCandidates(round) })
    else if (next === 'sealed') await store.setRoundPhase(planDigest, next, { manifest })
    else if (next === 'certified') await store.setRoundPhase(planDigest, next, { manifest: certify(manifest) })
    else if (next === 'opened') await store.setRoundPhase(planDigest, next)
    else {
      const output = { name: 'model', version: number, digest: someDigest() }
      await store.publishRound(planDigest, someStatement(), output, now, { kind: 'job-state', state: 'running' })
    }
  }
  return planDigest
}

async function put(spool: PayloadSpool, plan: Digest): Promise<void> {
  const parameters = parametersOf(1)
  const writer = await spool.open(plan, 'zurich', parameters)
  for (const chunk of someChunks(parameters)) await writer.append(chunk)
  await writer.commit()
}

describe('what dead coordinators have left', () => {
  it('of ciphertexts is discarded unless their round is open and its job unfinished', async () => {
    const running = await addJob()
    const kept = new Set<Digest>()
    for (const [i, phase] of (['collecting', ...PHASES, 'abandoned'] as const).entries()) {
      const plan = await addRound(running, phase, i + 1)
      await put(stores.spool, plan)
      if (phase !== 'published' && phase !== 'abandoned') kept.add(plan)
    }
    const ended = await addJob()
    await put(stores.spool, await addRound(ended, 'collecting'))
    await endJob(ended, 0)
    await put(stores.spool, someDigest())
    // A part of an upload that was never committed.
    const unknown = someDigest()
    await stores.blobs.put(`spool/${unknown}/zurich/00000-${someDigest()}`, new Uint8Array(1))
    expect(await stores.spool.plans()).toHaveLength(10)
    expect(await sweep()).toBe(5)
    expect(await stores.spool.plans()).toEqual([...kept].sort())
    expect(await sweep()).toBe(0)
  })

  it('of openings is discarded unless somebody may still ask for them', async () => {
    const running = await addJob()
    const kept = new Set<Digest>()
    for (let number = 1; number <= OPENINGS_KEPT + 2; number++) {
      const plan = await addRound(running, 'published', number)
      await put(stores.openings, plan)
      if (number > 2) kept.add(plan)
    }
    const opened = await addRound(running, 'opened', OPENINGS_KEPT + 3)
    await put(stores.openings, opened)
    kept.add(opened)
    const abandoned = await addRound(running, 'abandoned', OPENINGS_KEPT + 4)
    await put(stores.openings, abandoned)
    for (const minutesAgo of [59, 61]) {
      const job = await addJob()
      const plan = await addRound(job, 'published')
      await put(stores.openings, plan)
      await endJob(job, minutesAgo)
      if (minutesAgo < 60) kept.add(plan)
    }
    await put(stores.openings, someDigest())
    expect(await sweep()).toBe(5)
    expect(await stores.openings.plans()).toEqual([...kept].sort())
    expect(await stores.openings.read(opened, 'zurich', 0, 1)).toHaveLength(1)
  })

  it('is not taken for that when its round begins while the sweep is under way', async () => {
    const job = await addJob()
    let late: Digest | undefined
    const spool: PayloadSpool = {
      ...stores.spool,
      // Another coordinator plans a round, and its first ciphertext comes, after the list was made.
      plans: async () => {
        const plans = await stores.spool.plans()
        late = await addRound(job, 'collecting')
        await put(stores.spool, late)
        return plans
      },
    }
    expect(await sweepPayloads({ store, spool, openings: stores.openings, clock })).toBe(0)
    expect(await stores.spool.plans()).toEqual([late])
  })

  it('stays when the store fails', async () => {
    await put(stores.spool, someDigest())
    const failing = { ...store, listUnfinishedJobs: async () => Promise.reject(new Error('no store')) }
    await expect(sweepPayloads({ ...stores, store: failing, clock })).rejects.toThrow('no store')
    expect(await stores.spool.plans()).toHaveLength(1)
  })

  it('is discarded also while coordinators run, again and again, and after a fault', async () => {
    const stopping = new AbortController()
    const [swept, faults]: [number[], unknown[]] = [[], []]
    let turn = 0
    const late = await addRound(await addJob(), 'abandoned')
    const between = async () => {
      turn++
      // A worker that has not heard of the end of the round.
      if ((await stores.openings.plans()).length === 0) await put(stores.openings, late)
      if (turn === 4) stopping.abort()
    }
    const failing: CoordinatorStore = {
      ...store,
      listUnfinishedJobs: async () => (turn === 2 ? Promise.reject(new Error('no store')) : store.listUnfinishedJobs()),
    }
    const parts = { ...stores, store: failing, clock: { ...clock, sleep: between } }
    const listener = {
      onSwept: (rounds: number) => swept.push(rounds),
      onFault: (error: unknown) => faults.push(error),
    }
    await keepSwept(parts, listener, stopping.signal)
    expect(swept).toEqual([1, 1])
    expect(faults).toEqual([new Error('no store')])
  })
})
