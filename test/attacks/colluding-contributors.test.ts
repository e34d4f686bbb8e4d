/** Contributors that help a curious coordinator against one of the others: what they win where the rules are off. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { recoverSecret } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { answerCertificate, endorseManifest } from '../../src/protocol/committee-member.ts'
import { contributionStatement } from '../../src/protocol/contribution.ts'
import { type CoordinatorRound, planRound } from '../../src/protocol/coordinator-round.ts'
import { examinePlan } from '../../src/protocol/plan-policy.ts'
import { type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  endorseWith,
  floorsOf,
  forgeManifest,
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
  parties = await createParties(['victim', 'other', 'copier'])
})
afterAll(() => scheme.dispose())

/** What is left of a sum when vectors that one knows are taken out of it. */
function without(sum: Float64Array, ...known: readonly ArrayLike<number>[]): Float64Array {
  return known.reduce<Float64Array>((rest, vector) => rest.map((value, i) => value - vector[i]), sum)
}

/** The contribution of another under the copier's own name: same ciphertext, same sealed shares, its own signature. */
function copyOf(made: MadeContribution, copier: Party): MadeContribution {
  const body = acceptedOf(parseStatement(contributionStatement, made.envelope))
  const { holder, statementKey } = copier.keys
  return { ...made, holder, envelope: signStatement(contributionStatement, { ...body, holder }, statementKey) }
}

describe('a contributor that passes off another’s ciphertext and shares as its own', () => {
  it('learns that other’s vector from two rounds over the same data, knowing neither key: guard off', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim, , own] = contributions
    const honest = openSum(scheme, round, contributions, await keySumWithoutGuards(round, contributions, parties))
    // Members that do not tie a share to its contributor open the victim's once more, for the copy.
    const twice = [victim, contributions[1], victim]
    const doubled = openSum(scheme, round, twice, await keySumWithoutGuards(round, twice, parties))
    expect(without(doubled, without(honest, own.lanes))).toEqual(Float64Array.from(victim.lanes))
  })

  it('is found out by the first member that opens its share: guard on', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const set = [contributions[0], contributions[1], copyOf(contributions[0], parties[2])]
    const certificate = endorseWith(forgeManifest(round, set), parties)
    for (const { keys } of parties) {
      const envelopes = set.map(({ envelope }) => envelope)
      const answered = await answerCertificate(
        memberRound(round),
        certificate,
        envelopes,
        coordinatorKey.publicKey,
        keys,
      )
      expect(codeOf(answered)).toBe('share-not-openable')
      expect(answered.ok ? '' : answered.reason).toContain('copier')
    }
  })
})

describe('a colluding contributor under a low floor', () => {
  const lowPlan = () => makePlan(parties, { minContributors: 2 })

  it('leaves the other’s vector when it takes its own out of a sum of two: guard off', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties, {
      plan: lowPlan(),
      from: [parties[0], parties[2]],
    })
    const [victim, own] = contributions
    const points = []
    for (const [i, name] of round.plan.committee.members.entries()) {
      const party = parties.find(({ keys }) => keys.holder === name)!
      points.push({ point: i + 1, share: await shareSumWithoutGuards(round, contributions, party) })
    }
    const sum = openSum(scheme, round, contributions, recoverSecret(points))
    expect(without(sum, own.lanes)).toEqual(Float64Array.from(victim.lanes))
  })

  it('finds no victim whose policy has a floor of three, which is the default: guard on', () => {
    const [self] = parties
    const envelope = signStatement(roundPlanStatement, lowPlan(), coordinatorKey)
    expect(codeOf(examinePlan(envelope, self.member, floorsOf(self, parties), NOW))).toBe('below-policy-floor')
  })
})

describe('as many colluding members as the plan says it bears', () => {
  const names = ['victim', 'spy-1', 'spy-2', 'd', 'e', 'f', 'g']
  let seven: Party[]
  beforeAll(async () => {
    seven = await createParties(names)
  })
  /** Two of seven, with a floor of three: the two and their victim are a set. */
  const promisingPlan = () => {
    const plan = makePlan(seven)
    return { ...plan, committee: { ...plan.committee, tolerates: 2 } }
  }

  it('get the rest of a certified set of three to themselves, and no honest member objects: guard off', async () => {
    const plan = promisingPlan()
    expect(plan.committee).toMatchObject({ threshold: 5, tolerates: 2 })
    const three = seven.slice(0, 3)
    const { round, contributions } = await sealUnchecked(plan, three)
    const manifest = forgeManifest(round, contributions)
    const envelopes = contributions.map(({ envelope }) => envelope)
    for (const { keys } of [seven[0], ...seven.slice(3)]) {
      const endorsed = endorseManifest(memberRound(round), manifest, envelopes, coordinatorKey.publicKey, keys)
      expect(codeOf(endorsed)).toBe('accepted')
    }
    const opened = openSum(scheme, round, contributions, await keySumWithoutGuards(round, contributions, seven))
    const [victim, ...spies] = contributions
    expect(without(opened, ...spies.map(({ lanes }) => lanes))).toEqual(Float64Array.from(victim.lanes))
  })

  it('are never so many that fewer than two honest contributors are left in the smallest set: guard on', () => {
    const [self] = seven
    const examine = (plan: RoundPlan) => {
      const envelope = signStatement(roundPlanStatement, plan, coordinatorKey)
      return codeOf(examinePlan(envelope, self.member, floorsOf(self, seven), NOW))
    }
    expect(examine(promisingPlan())).toBe('inconsistent-plan')
    expect(() => planRound(promisingPlan(), coordinatorKey)).toThrow(
      expect.objectContaining({ code: 'impossible-plan' }),
    )
    expect(examine({ ...promisingPlan(), minContributors: 4 })).toBe('accepted')
    expect(examine(makePlan(seven))).toBe('accepted')
  })
})

/** A round of a plan that nobody has checked, with the contributions of `from`. */
async function sealUnchecked(plan: RoundPlan, from: readonly Party[]) {
  const planEnvelope = signStatement(roundPlanStatement, plan, coordinatorKey)
  const planDigest = statementDigest(planEnvelope)
  const empty = { contributions: new Map(), shareSums: new Map() }
  const round: CoordinatorRound = { phase: 'collecting', plan, planEnvelope, planDigest, ...empty }
  const contributions: MadeContribution[] = []
  for (const party of from) contributions.push(await makeContribution(scheme, round, party, lanesOf(party.keys.holder)))
  return { round, contributions }
}
