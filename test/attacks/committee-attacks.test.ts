/**
 * Committees that a malicious coordinator would like to have, and what it does with one. Each attack has two halves: what it
 * wins with the guard off, and the refusal with the guard on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, type EnvelopeSignature, statementDigest } from '../../src/crypto/envelope.ts'
import { recoverSecret, type SharePoint } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { checkCertificate, type MemberRound } from '../../src/protocol/committee-member.ts'
import { type CoordinatorRound, closeCollection, sealRound } from '../../src/protocol/coordinator-round.ts'
import {
  checkPlanConsistency,
  drawPlanCommittee,
  type RoundPlan,
  roundPlanStatement,
} from '../../src/protocol/round-plan.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { askToEndorse, checkWithoutGuards } from '../support/ask-member.ts'
import { attack, limit } from '../support/attack.ts'
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
  logOfRound,
  type MadeContribution,
  makeContribution,
  makePlan,
  membersOf,
  NOW,
  openSum,
  type Party,
  receiveAll,
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
  const empty = { contributions: new Map(), checks: new Map(), dealings: new Map(), shareSums: new Map() }
  const planned: CoordinatorRound = { phase: 'collecting', plan, planEnvelope, planDigest, ...empty }
  const contributions: MadeContribution[] = []
  for (const party of from)
    contributions.push(await makeContribution(scheme, planned, party, lanesOf(party.keys.holder)))
  return { round: receiveAll(planned, contributions), contributions }
}

const difference = (a: Float64Array, b: Float64Array) => a.map((sum, i) => sum - b[i])

/** A manifest over some of the contributions as a coordinator makes it, with checks of these members. */
async function sealOver(round: CoordinatorRound, set: readonly MadeContribution[], members: readonly Party[]) {
  const collected = { ...round, contributions: receiveAll({ ...round, contributions: new Map() }, set).contributions }
  const closed = acceptedOf(closeCollection(collected, 'f'.repeat(64), coordinatorKey, NOW))
  const checks = new Map<string, Envelope>()
  for (const party of members)
    checks.set(party.keys.holder, await checkWithoutGuards(closed, closed.candidates!, set, party))
  return acceptedOf(sealRound({ ...closed, checks }, coordinatorKey, NOW))
}

const weakPlan = () => makePlan(parties, { committee: { members: HOSPITALS, threshold: 2, tolerates: 0 } })

attack({
  name: 'a committee whose threshold is no majority',
  by: 'coordinator',
  wins: 'a hospital’s vector: two halves certify two sets without one lie, each in its own view of the log',
  guard: 'nobody takes a plan without a majority',
  lines: [5, 13],
  off: async () => {
    const { round, contributions } = await uncheckedRound(weakPlan(), parties)
    const byName = (name: string) => parties.find(({ keys }) => keys.holder === name)!
    const halves = [HOSPITALS.slice(0, 2), HOSPITALS.slice(2)].map((names) => names.map(byName))
    const sums = []
    for (const [i, set] of [contributions, contributions.slice(1)].entries()) {
      const sealed = await sealOver(round, set, halves[i])
      let certificate = sealed.manifest!
      const points = []
      for (const party of halves[i]) {
        const { signature } = acceptedOf(await askToEndorse(sealed, sealed.manifest!, set, party))
        certificate = { ...certificate, signatures: [...certificate.signatures, signature] }
        const point = HOSPITALS.indexOf(party.keys.holder) + 1
        points.push({ point, share: await shareSumWithoutGuards(round, set, party) })
      }
      expect(codeOf(checkCertificate(round.plan, certificate))).toBe('accepted')
      sums.push(openSum(scheme, round, set, recoverSecret(points)))
    }
    expect(difference(sums[0], sums[1])).toEqual(Float64Array.from(contributions[0].lanes))
  },
  on: () => {
    expect(codeOf(checkPlanConsistency(weakPlan()))).toBe('inconsistent-plan')
  },
})

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

attack({
  name: 'a committee on which one organisation has several seats',
  by: 'coordinator and one organisation',
  wins: 'a hospital’s vector: its nodes sign both sets, whatever the others sign',
  guard: 'no plan gives one organisation more seats than it bears liars, and the draw gives it one',
  lines: [6],
  off: async () => {
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
  },
  on: async () => {
    const { plan } = await stackedPlan()
    expect(codeOf(checkPlanConsistency(plan))).toBe('inconsistent-plan')
    const fairly = { ...plan, committee: makePlan((await stackedPlan()).all, { minContributors: 4 }).committee }
    expect(codeOf(checkPlanConsistency(fairly))).toBe('accepted')
  },
})

/** The coordinator seats whom it likes: five of seven are its own. */
async function chosenCommittee() {
  const spies = await createParties(['spy-1', 'spy-2', 'spy-3', 'spy-4', 'spy-5'])
  const all = [...parties, ...spies]
  const members = [...spies, ...parties.slice(0, 2)].map(({ keys }) => keys.holder)
  return { spies, plan: makePlan(all, { minContributors: 4, committee: { members, threshold: 5, tolerates: 2 } }), all }
}

attack({
  name: 'a committee that the coordinator chose',
  by: 'coordinator and t holders',
  wins: 'a hospital’s vector: its own t members open what they like',
  guard: 'everybody draws the committee from job and round, and refuses another',
  lines: [13],
  off: async () => {
    const { spies, plan, all } = await chosenCommittee()
    const { round, contributions } = await uncheckedRound(plan, all)
    const points = []
    for (const [i, party] of spies.entries()) {
      points.push({ point: i + 1, share: await shareSumWithoutGuards(round, [contributions[0]], party) })
    }
    const opened = openSum(scheme, round, [contributions[0]], recoverSecret(points))
    expect(opened).toEqual(Float64Array.from(contributions[0].lanes))
  },
  on: async () => {
    const { plan, all } = await chosenCommittee()
    expect(codeOf(checkPlanConsistency(plan))).toBe('inconsistent-plan')
    expect(codeOf(checkPlanConsistency(makePlan(all, { minContributors: 4 })))).toBe('accepted')
    // Seats in another order are other evaluation points: refused, too.
    const drawn = makePlan(all, { minContributors: 4 })
    const { committee } = drawn
    const turned = { ...committee, members: [...committee.members].reverse() }
    expect(codeOf(checkPlanConsistency({ ...drawn, committee: turned }))).toBe('inconsistent-plan')
  },
})

limit({
  name: 'a committee that the coordinator drew until it liked it',
  by: 'coordinator and holders in a large venue',
  wins: 'three colluders on a committee that bears two, after a few hundred jobs that it makes up',
  because:
    'job digests follow from a nonce of the coordinator’s; no beacon yet: count on the venue’s share of colluders',
  shown: async () => {
    const venue = await createParties(Array.from({ length: 20 }, (_, i) => `holder-${i}`))
    const cohort = venue.map(({ member }) => member)
    const colluders = new Set(['holder-0', 'holder-1', 'holder-2'])
    const seats = (nonce: number) => {
      const { members } = drawPlanCommittee({ job: digestOf(Buffer.from(`job ${nonce}`)), round: 1, cohort })
      return members.filter((member) => colluders.has(member)).length
    }
    const tries = Array.from({ length: 500 }, (_, nonce) => seats(nonce))
    expect(tries.some((taken) => taken === 3)).toBe(true)
  },
})

describe('members that sign whatever the coordinator wants', () => {
  /** Whether both sets get a certificate when the honest members are split in some way and the colluders sign both. */
  async function bothCertify(colluders: number) {
    const plan = makePlan(parties, { minContributors: 4 })
    const { round, contributions } = await sealRoundOf(scheme, parties, { plan })
    const committee = membersOf(round, parties)
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
})

attack({
  name: 't − 1 members that put their shares of one contribution together',
  by: 'members',
  wins: 'that hospital’s vector, with one share more',
  guard: 't − 1 shares are uniform: what they interpolate to is no key',
  lines: [10],
  off: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim] = contributions
    const whole = await keySumWithoutGuards(round, [victim], parties)
    expect(openSum(scheme, round, [victim], whole)).toEqual(Float64Array.from(victim.lanes))
  },
  on: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim] = contributions
    const { threshold } = round.plan.committee
    const points: SharePoint[] = []
    for (const [i, party] of membersOf(round, parties)
      .slice(0, threshold - 1)
      .entries()) {
      points.push({ point: i + 1, share: await shareSumWithoutGuards(round, [victim], party) })
    }
    expect(() => openSum(scheme, round, [victim], recoverSecret(points))).toThrow(
      expect.objectContaining({ code: 'key-sum-implausible' }),
    )
  },
})

/** What a journal must do: bind to the first, say no to another. Memory in place of a disk. */
function createClaim() {
  const claimed = new Map<string, string>()
  return ({ planDigest, endorsedManifest }: MemberRound): boolean => {
    const earlier = claimed.get(planDigest) ?? endorsedManifest!
    claimed.set(planDigest, earlier)
    return earlier === endorsedManifest
  }
}

/** Two manifests of one round that reach every member at once: both requests read its memory before either has written it. */
async function race() {
  const { round, contributions } = await sealRoundOf(scheme, parties)
  const later = new Date(NOW.getTime() + 1).toISOString()
  const manifests = [round.manifest!, forgeManifest(round, contributions, { sealedAt: later })]
  // Each in a log of its own, as a split view would show it.
  const logs = await Promise.all(manifests.map((manifest) => logOfRound({ ...round, manifest })))
  const endorse = (party: Party) =>
    Promise.all(
      manifests.map(async (manifest, set) => {
        const endorsed = acceptedOf(await askToEndorse(round, manifest, contributions, party, {}, logs[set]))
        return { set, signature: endorsed.signature, round: endorsed.round }
      }),
    )
  const certify = (signed: readonly { set: number; signature: EnvelopeSignature }[]) =>
    manifests.map((manifest, i) => {
      const signatures = signed.filter(({ set }) => set === i).map(({ signature }) => signature)
      return checkCertificate(round.plan, { ...manifest, signatures: [...manifest.signatures, ...signatures] }).ok
    })
  return { computed: await Promise.all(parties.map(endorse)), certify }
}

attack({
  name: 'two manifests that reach a member at once',
  by: 'coordinator',
  wins: 'both certified, when members send what they computed',
  guard: 'each signature waits for its claim in the journal, and one claim is granted',
  lines: [4],
  off: async () => {
    const { computed, certify } = await race()
    expect(certify(computed.flat())).toEqual([true, true])
  },
  on: async () => {
    const { computed, certify } = await race()
    for (let order = 0; order < 2 ** parties.length; order += 9) {
      const signed = computed.flatMap((both, i) => {
        const claim = createClaim()
        const answers = (order >> i) & 1 ? [...both].reverse() : both
        return answers.filter(({ round }) => claim(round))
      })
      expect(signed).toHaveLength(parties.length)
      expect(certify(signed).filter(Boolean).length).toBeLessThanOrEqual(1)
    }
  },
})
