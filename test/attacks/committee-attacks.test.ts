/**
 * Committees that a malicious coordinator would like to have, and what it does with one. Each attack has two halves: what it
 * wins with the guard off, and the refusal with the guard on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { recoverSecret, type SharePoint } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { checkCertificate, endorseManifest, type MemberRound } from '../../src/protocol/committee-member.ts'
import { type CoordinatorRound, receiveContribution } from '../../src/protocol/coordinator-round.ts'
import { checkPlanConsistency, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  endorseWith,
  forgeManifest,
  HOSPITALS,
  keySumWithoutGuards,
  lanesOf,
  type MadeContribution,
  makeContribution,
  makePlan,
  memberRound,
  NOW,
  openSum,
  type Party,
  sealRoundOf,
  shareSumWithoutGuards,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let parties: Party[]

beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties([...HOSPITALS, 'zurich', 'basel', 'bern'])
})
afterAll(() => scheme.dispose())

/** A round of a plan that nobody has checked, with a contribution of everybody. */
async function uncheckedRound(plan: RoundPlan, from: readonly Party[]) {
  const planEnvelope = signStatement(roundPlanStatement, plan, coordinatorKey)
  const planDigest = statementDigest(planEnvelope)
  let round: CoordinatorRound = {
    phase: 'collecting',
    plan,
    planEnvelope,
    planDigest,
    contributions: new Map(),
    shareSums: new Map(),
  }
  const contributions: MadeContribution[] = []
  for (const party of from) {
    const made = await makeContribution(scheme, round, party, lanesOf(party.keys.holder))
    contributions.push(made)
    round = acceptedOf(receiveContribution(round, made.holder, made.envelope, made.payload, NOW))
  }
  return { round, contributions }
}

const difference = (a: Float64Array, b: Float64Array) => a.map((sum, i) => sum - b[i])

describe('a committee whose threshold is no majority', () => {
  const weakPlan = () => makePlan(parties, { committee: { members: HOSPITALS, threshold: 2, tolerates: 0 } })

  it('certifies two sets without one lie, and the difference is a hospital’s vector: guard off', async () => {
    const { round, contributions } = await uncheckedRound(weakPlan(), parties)
    const byName = (name: string) => parties.find(({ keys }) => keys.holder === name)!
    const halves = [HOSPITALS.slice(0, 2), HOSPITALS.slice(2)].map((names) => names.map(byName))
    const sets = [contributions, contributions.slice(1)]
    const sums = []
    for (const [i, set] of sets.entries()) {
      const manifest = forgeManifest(round, set)
      let certificate: Envelope = manifest
      const points = []
      for (const party of halves[i]) {
        const envelopes = set.map(({ envelope }) => envelope)
        const endorsed = endorseManifest(memberRound(round), manifest, envelopes, coordinatorKey.publicKey, party.keys)
        const { signature } = acceptedOf(endorsed)
        certificate = { ...certificate, signatures: [...certificate.signatures, signature] }
        const point = HOSPITALS.indexOf(party.keys.holder) + 1
        points.push({ point, share: await shareSumWithoutGuards(round, set, party) })
      }
      expect(codeOf(checkCertificate(round.plan, certificate))).toBe('accepted')
      sums.push(openSum(scheme, round, set, recoverSecret(points)))
    }
    expect(difference(sums[0], sums[1])).toEqual(Float64Array.from(contributions[0].lanes))
  })

  it('is in no plan that anybody takes: guard on', () => {
    expect(codeOf(checkPlanConsistency(weakPlan()))).toBe('inconsistent-plan')
  })
})

describe('a committee on which one organisation has several seats', () => {
  /** Three of five seats are nodes of one organisation; t = 4, so it needs one more to open, and f = 2. */
  async function stackedPlan() {
    const nodes = await Promise.all(['node-1', 'node-2', 'node-3'].map((name) => createParty(name, 'one for all')))
    const all = [...nodes, ...parties.slice(0, 4)]
    const members = [...nodes, ...parties.slice(0, 2)].map(({ keys }) => keys.holder)
    return {
      nodes,
      all,
      plan: makePlan(all, { minContributors: 4, committee: { members, threshold: 4, tolerates: 2 } }),
    }
  }

  it('lets that one party and the coordinator certify two sets, whatever the two others sign: guard off', async () => {
    const { nodes, all, plan } = await stackedPlan()
    const { round, contributions } = await uncheckedRound(plan, all)
    const [, , , victim] = contributions
    const without = contributions.filter((contribution) => contribution !== victim)
    const manifests = [contributions, without].map((set) => forgeManifest(round, set))
    // Each honest member signs one manifest, as it should; the three nodes sign both.
    for (const [i, honest] of parties.slice(0, 2).entries())
      expect(codeOf(checkCertificate(plan, endorseWith(manifests[i], [honest, ...nodes])))).toBe('accepted')
    const sums = []
    for (const [i, set] of [contributions, without].entries()) {
      const points = []
      for (const party of [...nodes, parties[i]]) {
        const point = plan.committee.members.indexOf(party.keys.holder) + 1
        points.push({ point, share: await shareSumWithoutGuards(round, set, party) })
      }
      sums.push(openSum(scheme, round, set, recoverSecret(points)))
    }
    expect(difference(sums[0], sums[1])).toEqual(Float64Array.from(victim.lanes))
  })

  it('is in no plan that anybody takes: guard on', async () => {
    const { plan } = await stackedPlan()
    expect(codeOf(checkPlanConsistency(plan))).toBe('inconsistent-plan')
    const fairly = { ...plan, committee: makePlan((await stackedPlan()).all, { minContributors: 4 }).committee }
    expect(codeOf(checkPlanConsistency(fairly))).toBe('accepted')
  })
})

describe('members that sign whatever the coordinator wants', () => {
  /** Whether both sets get a certificate when the honest members are split in some way and the colluders sign both. */
  async function bothCertify(colluders: number) {
    const plan = makePlan(parties, { minContributors: 4 })
    const { round, contributions } = await sealRoundOf(scheme, parties, { plan })
    const committee = round.plan.committee.members.map((name) => parties.find(({ keys }) => keys.holder === name)!)
    const [liars, honest] = [committee.slice(0, colluders), committee.slice(colluders)]
    const manifests = [contributions, contributions.slice(1)].map((set) => forgeManifest(round, set))
    for (let split = 0; split < 2 ** honest.length; split++) {
      const certificates = manifests.map((manifest, i) =>
        endorseWith(manifest, [...liars, ...honest.filter((_, j) => ((split >> j) & 1) === i)]),
      )
      if (certificates.every((certificate) => checkCertificate(round.plan, certificate).ok)) return true
    }
    return false
  }

  it('do not get two sets certified, however the others are split, while they are no more than f', async () => {
    expect(makePlan(parties, { minContributors: 4 }).committee).toMatchObject({ threshold: 5, tolerates: 2 })
    expect(await bothCertify(0)).toBe(false)
    expect(await bothCertify(2)).toBe(false)
  })

  it('do get two sets certified when they are one more: f is what the committee bears, and no less', async () => {
    expect(await bothCertify(3)).toBe(true)
  })

  it('do not open a single contribution with their own t − 1 shares, and would with one more', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim] = contributions
    const whole = await keySumWithoutGuards(round, [victim], parties)
    expect(openSum(scheme, round, [victim], whole)).toEqual(Float64Array.from(victim.lanes))
    const { members, threshold } = round.plan.committee
    const points: SharePoint[] = []
    for (const [i, name] of members.slice(0, threshold - 1).entries()) {
      const party = parties.find(({ keys }) => keys.holder === name)!
      points.push({ point: i + 1, share: await shareSumWithoutGuards(round, [victim], party) })
    }
    // The best they can do, a line through what they have, is no short key; there is nothing to open with.
    expect(() => openSum(scheme, round, [victim], recoverSecret(points))).toThrow(
      expect.objectContaining({ code: 'key-sum-implausible' }),
    )
  })
})

describe('two manifests that reach a member at once', () => {
  /** What a journal must do: bind to the first, say no to another. Memory in place of a disk. */
  function createClaim() {
    const claimed = new Map<string, string>()
    return ({ planDigest, endorsedManifest }: MemberRound): boolean => {
      const earlier = claimed.get(planDigest) ?? endorsedManifest!
      claimed.set(planDigest, earlier)
      return earlier === endorsedManifest
    }
  }

  /** Both requests read the member's memory before either has written it. */
  async function race() {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const sets = [contributions, contributions.slice(1)]
    const endorse = (party: Party) => {
      const before = memberRound(round)
      return sets.map((set) => {
        const envelopes = set.map(({ envelope }) => envelope)
        const manifest = forgeManifest(round, set)
        return acceptedOf(endorseManifest(before, manifest, envelopes, coordinatorKey.publicKey, party.keys))
      })
    }
    const certify = (signed: { set: number; signature: Envelope['signatures'][number] }[]) =>
      sets.map((set, i) => {
        const manifest = forgeManifest(round, set)
        const signatures = signed.filter((entry) => entry.set === i).map(({ signature }) => signature)
        return checkCertificate(round.plan, { ...manifest, signatures: [...manifest.signatures, ...signatures] }).ok
      })
    return { endorse, certify }
  }

  it('both get certified when members send what they computed: guard off', async () => {
    const { endorse, certify } = await race()
    const signed = parties.flatMap((party) => endorse(party).map(({ signature }, set) => ({ set, signature })))
    expect(certify(signed)).toEqual([true, true])
  })

  it('do not when each signature waits for its claim, in whatever order the claims come: guard on', async () => {
    const { endorse, certify } = await race()
    const computed = parties.map(endorse)
    for (let order = 0; order < 2 ** parties.length; order += 9) {
      const signed = computed.flatMap((both, i) => {
        const claim = createClaim()
        const answers = both.map(({ signature, round }, set) => ({ set, signature, round }))
        if ((order >> i) & 1) answers.reverse()
        return answers.filter(({ round }) => claim(round))
      })
      expect(signed).toHaveLength(parties.length)
      expect(certify(signed).filter(Boolean).length).toBeLessThanOrEqual(1)
    }
  })
})
