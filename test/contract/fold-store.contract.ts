import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CoordinatorStore, FoldClaim } from '../../src/coordinator/ports.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import type { CoordinatorRound } from '../../src/protocol/coordinator-round.ts'
import { someCandidates, someDigest, someJob, someManifest, someRound } from './coordinator-fixtures.ts'
import type { CoordinatorStorePlace } from './coordinator-store.contract.ts'

const LEASE_MS = 60_000
/** Over before the next line that looks at it. */
const SPENT_MS = 0

/** What every `FoldStore` keeps to (docs/adr/0015). */
export function describeFoldStore(name: string, makePlace: () => Promise<CoordinatorStorePlace>): void {
  describe(`FoldStore on ${name}`, () => {
    let place: CoordinatorStorePlace
    let store: CoordinatorStore

    beforeAll(async () => {
      place = await makePlace()
      store = await place.open()
    })
    afterAll(async () => {
      await store.close()
      await place.remove()
    })

    async function planOne(): Promise<CoordinatorRound> {
      const { job, envelope } = someJob()
      await store.addJob(job, envelope, new Date())
      const round = someRound(job)
      await store.addRound(round)
      return round
    }

    async function sealOne(): Promise<{ readonly round: CoordinatorRound; readonly manifest: Envelope }> {
      const round = await planOne()
      const manifest = someManifest(round)
      await store.setRoundPhase(round.planDigest, 'checking', { candidates: someCandidates(round) })
      await store.setRoundPhase(round.planDigest, 'sealed', { manifest })
      return { round, manifest }
    }

    /** A sealed round whose sum is to be made of so many parts. */
    async function putUp(count: number): Promise<Digest> {
      const { round } = await sealOne()
      await store.addFoldParts(round.planDigest, count)
      return round.planDigest
    }

    const claim = (plan?: Digest, leaseMs = LEASE_MS) => store.claimFoldPart(randomUUID(), leaseMs, plan)
    const abandon = (plan: Digest) => store.setRoundPhase(plan, 'abandoned', { reason: 'it is over' })
    /** Everything that anybody may take, until nothing is left. */
    async function claimAll(): Promise<FoldClaim[]> {
      const claims: FoldClaim[] = []
      for (let next = await claim(); next; next = await claim()) claims.push(next)
      return claims
    }

    it('gives each part once, however many want one at the same time', async () => {
      const plan = await putUp(16)
      const claims = await Promise.all(Array.from({ length: 24 }, () => claim(plan)))
      const parts = claims.flatMap((taken) => (taken ? [taken.part] : []))
      // Who passed over what others were taking at that moment may come away with nothing.
      expect(new Set(parts).size).toBe(parts.length)
      for (let next = await claim(plan); next; next = await claim(plan)) parts.push(next.part)
      expect(parts.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i))
      await abandon(plan)
    })

    it('gives the lowest parts first, of all rounds alike', async () => {
      const plans = [await putUp(2), await putUp(2)].sort()
      const claims = (await claimAll()).map(({ planDigest, part }) => [part, planDigest])
      expect(claims).toEqual([0, 1].flatMap((part) => plans.map((plan) => [part, plan])))
      await Promise.all(plans.map(abandon))
    })

    it('keeps a claim as long as it is renewed, and gives the part to another when it is not', async () => {
      const plan = await putUp(1)
      const first = (await claim(plan))!
      expect(await claim(plan)).toBeUndefined()
      expect(await store.renewFoldClaim(first, LEASE_MS)).toBe(true)
      expect(await store.renewFoldClaim(first, SPENT_MS)).toBe(true)
      const second = (await claim(plan))!
      expect(second).toEqual({ planDigest: plan, part: 0, claimant: second.claimant })
      expect(await store.renewFoldClaim(first, LEASE_MS)).toBe(false)
      expect(await store.giveBackFoldPart(first)).toBe(false)
      expect(await store.renewFoldClaim(second, LEASE_MS)).toBe(true)
      await abandon(plan)
    })

    it('takes a part back to be taken at once; one with a fault by the coordinator of its round alone', async () => {
      const plan = await putUp(1)
      expect(await store.giveBackFoldPart((await claim())!)).toBe(true)
      const helper = (await claim())!
      expect(await store.giveBackFoldPart(helper, 'the blobs \0 are not here')).toBe(true)
      expect(await claim()).toBeUndefined()
      expect(await claim(someDigest())).toBeUndefined()
      expect(await claim(plan)).toMatchObject({ planDigest: plan, part: 0 })
      await abandon(plan)
    })

    it('has one sum of a part, whoever added it up, and gives the part no more', async () => {
      const plan = await putUp(2)
      const [late, sum] = [(await claim(plan, SPENT_MS))!, someDigest()]
      const taken = (await claim(plan))!
      expect(taken.part).toBe(0)
      await store.finishFoldPart(late, sum)
      await store.finishFoldPart(taken, sum)
      await expect(store.finishFoldPart(taken, someDigest())).rejects.toMatchObject({ code: 'conflict' })
      expect(await store.listFoldParts(plan)).toEqual([{ part: 0, digest: sum }, { part: 1 }])
      expect(await store.renewFoldClaim(taken, LEASE_MS)).toBe(false)
      expect(await store.giveBackFoldPart(taken, 'too late')).toBe(false)
      expect((await claim(plan))?.part).toBe(1)
      // Whoever takes the round over puts its parts up again.
      await store.addFoldParts(plan, 2)
      expect(await store.listFoldParts(plan)).toEqual([{ part: 0, digest: sum }, { part: 1 }])
      await abandon(plan)
    })

    it('has parts of sealed and certified rounds alone', async () => {
      const planned = await planOne()
      await expect(store.addFoldParts(planned.planDigest, 2)).rejects.toMatchObject({ code: 'conflict' })
      await expect(store.readSealedSet(planned.planDigest)).rejects.toMatchObject({ code: 'not-found' })
      const { round, manifest } = await sealOne()
      const { planDigest: plan, planEnvelope } = round
      expect(await store.readSealedSet(plan)).toEqual({ plan: planEnvelope, manifest })
      await store.addFoldParts(plan, 2)
      const taken = (await claim(plan))!
      await store.setRoundPhase(plan, 'certified', { manifest })
      expect(await store.listFoldParts(plan)).toHaveLength(2)
      await store.setRoundPhase(plan, 'opened')
      expect(await store.listFoldParts(plan)).toEqual([])
      expect(await store.renewFoldClaim(taken, LEASE_MS)).toBe(false)
      await store.finishFoldPart(taken, someDigest())
      await expect(store.addFoldParts(plan, 2)).rejects.toMatchObject({ code: 'conflict' })
      const abandoned = await putUp(1)
      await abandon(abandoned)
      expect(await claim()).toBeUndefined()
    })

    it('tells who listens of parts to take, and of parts that are added up', async () => {
      const heard: string[] = []
      let about = ''
      const stop = store.onFoldChange(() => void heard.push(about))
      about = 'put up'
      const plan = await putUp(1)
      about = 'given back'
      await store.giveBackFoldPart((await claim(plan))!)
      about = 'added up'
      await store.finishFoldPart((await claim(plan))!, someDigest())
      stop()
      expect(new Set(heard)).toEqual(new Set(['put up', 'given back', 'added up']))
      await abandon(plan)
    })
  })
}
