/** Contributors that help a curious coordinator against one of the others: what they win where the rules are off. */
import { afterAll, beforeAll, expect } from 'vitest'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { recoverSecret } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { contributionStatement } from '../../src/protocol/contribution.ts'
import {
  type CoordinatorRound,
  closeCollection,
  manifestOf,
  planRound,
  sealRound,
} from '../../src/protocol/coordinator-round.ts'
import { examinePlan } from '../../src/protocol/plan-policy.ts'
import { type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import { askToAnswer, askToEndorse, checkWithoutGuards } from '../support/ask-member.ts'
import { attack } from '../support/attack.ts'
import {
  acceptedOf,
  checkRoundShares,
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
  membersOf,
  NOW,
  openSum,
  type Party,
  plainSum,
  receiveAll,
  sealRoundOf,
  shareSumWithoutGuards,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let parties: Party[]
let seven: Party[]

beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties(['victim', 'other', 'copier'])
  seven = await createParties(['victim', 'spy-1', 'spy-2', 'd', 'e', 'f', 'g'])
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

attack({
  name: 'another’s ciphertext and shares, passed off as one’s own',
  by: 'contributor',
  wins: 'that other’s vector, from two rounds over the same data, without a key',
  guard: 'a share opens under its contributor’s name alone: the copier is left out',
  lines: [8, 9],
  off: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim, , own] = contributions
    const honest = openSum(scheme, round, contributions, await keySumWithoutGuards(round, contributions, parties))
    // Members that do not tie a share to its contributor open the victim's once more, for the copy.
    const twice = [victim, contributions[1], victim]
    const doubled = openSum(scheme, round, twice, await keySumWithoutGuards(round, twice, parties))
    expect(without(doubled, without(honest, own.lanes))).toEqual(Float64Array.from(victim.lanes))
  },
  on: async () => {
    // Its name may stand before the other's or after it in the set: neither makes its box another's.
    for (const name of ['copier', 'x-copier']) {
      const four = await createParties(['victim', 'other', name, 'fourth'])
      const planned = planRound(makePlan(four), coordinatorKey)
      const made: MadeContribution[] = []
      for (const party of four) made.push(await makeContribution(scheme, planned, party, lanesOf(party.keys.holder)))
      const copied = made.map((one) => (one.holder === name ? copyOf(made[0], four[2]) : one))
      const checked = await checkRoundShares(receiveAll(planned, copied), four)
      const round = acceptedOf(sealRound(checked, coordinatorKey, NOW))
      const { contributions, excluded } = manifestOf(round)
      expect(excluded.map(({ holder }) => holder)).toEqual([name])
      expect(contributions.map(({ holder }) => holder)).toEqual(['fourth', 'other', 'victim'])
      // Forced past the check, every member's answer fails on it, by name.
      const certificate = endorseWith(forgeManifest(round, copied), four)
      for (const party of membersOf(round, four)) {
        const answered = await askToAnswer(round, certificate, copied, party)
        expect(codeOf(answered)).toBe('share-not-openable')
        expect(answered.ok ? '' : answered.reason).toContain(name)
      }
    }
  },
})

const lowPlan = () => makePlan(parties, { minContributors: 2 })

attack({
  name: 'a colluding contributor under a floor of two',
  by: 'coordinator and contributor',
  wins: 'the other’s vector: the sum of two without its own',
  guard: 'a holder’s policy has a floor of three unless told otherwise',
  lines: [6, 13],
  off: async () => {
    const planned = planRound(lowPlan(), coordinatorKey)
    const contributions = []
    for (const party of [parties[0], parties[2]])
      contributions.push(await makeContribution(scheme, planned, party, lanesOf(party.keys.holder)))
    const [victim, own] = contributions
    const points = []
    for (const [i, party] of membersOf(planned, parties).entries()) {
      points.push({ point: i + 1, share: await shareSumWithoutGuards(planned, contributions, party) })
    }
    const sum = openSum(scheme, planned, contributions, recoverSecret(points))
    expect(without(sum, own.lanes)).toEqual(Float64Array.from(victim.lanes))
  },
  on: () => {
    const [self] = parties
    const envelope = signStatement(roundPlanStatement, lowPlan(), coordinatorKey)
    expect(codeOf(examinePlan(envelope, self.member, floorsOf(self, parties), NOW))).toBe('below-policy-floor')
  },
})

/** Two of seven, with a floor of three: the two and their victim are a set. */
const promisingPlan = () => {
  const plan = makePlan(seven)
  return { ...plan, committee: { ...plan.committee, tolerates: 2 } }
}

attack({
  name: 'as many colluding members as the plan says it bears, in the smallest set',
  by: 'coordinator and f members',
  wins: 'the rest of a certified set of three; no honest member objects',
  guard: 'a plan’s smallest set leaves two honest contributors',
  lines: [6, 13],
  off: async () => {
    const plan = promisingPlan()
    expect(plan.committee).toMatchObject({ threshold: 5, tolerates: 2 })
    const { round, contributions } = await sealUnchecked(plan, seven.slice(0, 3))
    for (const party of [seven[0], ...seven.slice(3)]) {
      expect(codeOf(await askToEndorse(round, round.manifest!, contributions, party))).toBe('accepted')
    }
    const opened = openSum(scheme, round, contributions, await keySumWithoutGuards(round, contributions, seven))
    const [victim, ...spies] = contributions
    expect(without(opened, ...spies.map(({ lanes }) => lanes))).toEqual(Float64Array.from(victim.lanes))
    expect(opened).toEqual(plainSum(contributions))
  },
  on: () => {
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
  },
})

/** A sealed round of a plan that nobody has checked, with the contributions of `from`. */
async function sealUnchecked(plan: RoundPlan, from: readonly Party[]) {
  const planEnvelope = signStatement(roundPlanStatement, plan, coordinatorKey)
  const planDigest = statementDigest(planEnvelope)
  const empty = { contributions: new Map(), checks: new Map(), dealings: new Map(), shareSums: new Map() }
  const planned: CoordinatorRound = { phase: 'collecting', plan, planEnvelope, planDigest, ...empty }
  const contributions: MadeContribution[] = []
  for (const party of from)
    contributions.push(await makeContribution(scheme, planned, party, lanesOf(party.keys.holder)))
  const closed = acceptedOf(closeCollection(receiveAll(planned, contributions), 'f'.repeat(64), coordinatorKey, NOW))
  const checks = new Map()
  for (const party of membersOf(planned, seven)) {
    checks.set(party.keys.holder, await checkWithoutGuards(closed, closed.candidates!, contributions, party))
  }
  return { round: acceptedOf(sealRound({ ...closed, checks }, coordinatorKey, NOW)), contributions }
}
