/** Contributors that help a curious coordinator against one of the others: what they win where the rules are off. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recoverSecret } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { answerCertificate } from '../../src/protocol/committee-member.ts'
import { contributionStatement } from '../../src/protocol/contribution.ts'
import { examinePlan } from '../../src/protocol/plan-policy.ts'
import { roundPlanStatement } from '../../src/protocol/round-plan.ts'
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
  type MadeContribution,
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
