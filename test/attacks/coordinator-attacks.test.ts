/**
 * A malicious coordinator against the members of a committee. Each attack has two halves: what it wins when the member's
 * guard is off (the test does the member's arithmetic without asking), and that it is refused when the guard is on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Envelope } from '../../src/crypto/envelope.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { answerCertificate, endorseManifest } from '../../src/protocol/committee-member.ts'
import { type CoordinatorRound, planRound, receiveEndorsement } from '../../src/protocol/coordinator-round.ts'
import { examinePlan } from '../../src/protocol/plan-policy.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import { checkPlanConsistency, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  endorseWith,
  floorsOf,
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
  seedOf,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let parties: Party[]

beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties([...HOSPITALS, 'zurich'])
})
afterAll(() => scheme.dispose())

function endorse(
  round: CoordinatorRound,
  manifest: Envelope,
  contributions: readonly MadeContribution[],
  party: Party,
  endorsed?: string,
) {
  const envelopes = contributions.map(({ envelope }) => envelope)
  return endorseManifest(memberRound(round, endorsed), manifest, envelopes, coordinatorKey.publicKey, party.keys)
}

function answer(
  round: CoordinatorRound,
  certificate: Envelope,
  contributions: readonly MadeContribution[],
  party: Party,
  endorsed?: string,
) {
  const envelopes = contributions.map(({ envelope }) => envelope)
  return answerCertificate(memberRound(round, endorsed), certificate, envelopes, coordinatorKey.publicKey, party.keys)
}

describe('two overlapping sets of one round', () => {
  it('give away one hospital’s vector when members answer for both: guard off', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim, ...others] = contributions
    const all = openSum(scheme, round, contributions, await keySumWithoutGuards(round, contributions, parties))
    const allButOne = openSum(scheme, round, others, await keySumWithoutGuards(round, others, parties))
    expect(all.map((sum, i) => sum - allButOne[i])).toEqual(Float64Array.from(victim.lanes))
  })

  it('do not both get a member’s signature, nor its answer: guard on', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const smaller = forgeManifest(round, contributions.slice(1))
    for (const party of parties) {
      const first = acceptedOf(endorse(round, round.manifest!, contributions, party)).round.endorsedManifest
      expect(codeOf(endorse(round, smaller, contributions.slice(1), party, first))).toBe('other-manifest-endorsed')
      const certificate = endorseWith(smaller, parties)
      const second = await answer(round, certificate, contributions.slice(1), party, first)
      expect(codeOf(second)).toBe('other-manifest-endorsed')
    }
  })

  it('neither reach a certificate when each is shown to another part of the committee', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const smaller = forgeManifest(round, contributions.slice(1))
    const { threshold, members } = round.plan.committee
    for (let split = 0; split <= members.length; split++) {
      let [left, right]: CoordinatorRound[] = [round, { ...round, manifest: smaller }]
      for (const [i, member] of members.entries()) {
        const party = parties.find(({ keys }) => keys.holder === member)!
        if (i < split) {
          left = acceptedOf(
            receiveEndorsement(
              left,
              member,
              acceptedOf(endorse(round, round.manifest!, contributions, party)).signature,
            ),
          )
        } else {
          const { signature } = acceptedOf(endorse(round, smaller, contributions.slice(1), party))
          right = acceptedOf(receiveEndorsement(right, member, signature))
        }
      }
      expect(left.phase === 'certified' && right.phase === 'certified').toBe(false)
      expect(left.phase === 'certified').toBe(split >= threshold)
    }
  })
})

describe('a set that is too small', () => {
  it('of one hospital opens that hospital when members answer: guard off', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim] = contributions
    const opened = openSum(scheme, round, [victim], await keySumWithoutGuards(round, [victim], parties))
    expect(opened).toEqual(Float64Array.from(victim.lanes))
  })

  it('is refused by every member, with any number of signatures on it: guard on', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const pair = contributions.slice(0, 2)
    const certificate = endorseWith(forgeManifest(round, pair), parties)
    expect(codeOf(endorse(round, forgeManifest(round, pair), pair, parties[0]))).toBe('too-few-contributors')
    expect(codeOf(await answer(round, certificate, pair, parties[0]))).toBe('too-few-contributors')
  })

  it('does not grow by naming a hospital twice', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const doubled = [contributions[0], contributions[1], contributions[1]]
    expect(codeOf(endorse(round, forgeManifest(round, doubled), doubled, parties[0]))).toBe('duplicate-contribution')
  })

  it('does not grow by identities that the plan never admitted', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const stranger = await createParty('nowhere')
    const smuggled = await makeContribution(scheme, round, stranger, lanesOf('any'))
    const set = [...contributions.slice(0, 2), smuggled]
    expect(codeOf(endorse(round, forgeManifest(round, set), set, parties[0]))).toBe('not-in-cohort')
  })

  it('does not grow by two nodes of one organisation', async () => {
    const twins = [parties[0], parties[1], await createParty('hungary-2', 'hungary hospital')]
    const { round, contributions } = await sealRoundOf(scheme, [...twins, parties[2]])
    const set = contributions.slice(0, 3)
    expect(codeOf(endorse(round, forgeManifest(round, set), set, parties[0]))).toBe('too-few-contributors')
  })
})

describe('an answer before its time', () => {
  it('is refused without t signatures on the manifest', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const { threshold, members } = round.plan.committee
    const committee = members.map((member) => parties.find(({ keys }) => keys.holder === member)!)
    const short = endorseWith(round.manifest!, committee.slice(0, threshold - 1))
    expect(codeOf(await answer(round, short, contributions, committee[0]))).toBe('no-certificate')
    const doubled = endorseWith(short, [committee[0], committee[0]])
    expect(codeOf(await answer(round, doubled, contributions, committee[0]))).toBe('no-certificate')
    const full = endorseWith(round.manifest!, committee.slice(0, threshold))
    expect(codeOf(await answer(round, full, contributions, committee[0]))).toBe('accepted')
  })

  it('and its repeat are the same bytes', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const certificate = endorseWith(round.manifest!, parties)
    const first = acceptedOf(await answer(round, certificate, contributions, parties[0]))
    const again = await answer(round, certificate, contributions, parties[0], first.round.endorsedManifest)
    expect(acceptedOf(again).answer).toEqual(first.answer)
  })
})

describe('a plan that is not what it should be', () => {
  const examine = (plan: RoundPlan, changes = {}, key = coordinatorKey) => {
    const [self] = parties
    return codeOf(
      examinePlan(signStatement(roundPlanStatement, plan, key), self.member, floorsOf(self, parties, changes), NOW),
    )
  }

  it('passes when it keeps to the floors', () => {
    expect(examine(makePlan(parties))).toBe('accepted')
  })

  it('is refused below each floor of the holder', () => {
    const plan = makePlan(parties)
    expect(examine(plan, { minContributors: 4 })).toBe('below-policy-floor')
    expect(examine(plan, { threshold: plan.committee.threshold + 1 })).toBe('below-policy-floor')
    expect(examine(plan, { tolerates: plan.committee.tolerates + 1 })).toBe('below-policy-floor')
    expect(examine(plan, { maxPrecisionBits: 15 })).toBe('below-policy-floor')
  })

  it('is refused when another coordinator signed it', () => {
    expect(examine(makePlan(parties), {}, statementKeyFromSeed(seedOf('mallory')))).toBe('unknown-coordinator')
  })

  it('is refused when it is late', () => {
    const collectUntil = new Date(NOW.getTime() - 1).toISOString()
    expect(examine(makePlan(parties, { collectUntil }))).toBe('deadline-passed')
  })

  it('is refused with a stranger in the cohort, or without the holder itself', async () => {
    const stranger = await createParty('nowhere')
    expect(examine(makePlan([...parties, stranger]))).toBe('unaccepted-member')
    expect(examine(makePlan(parties.slice(1)))).toBe('not-in-cohort')
  })

  it('with the box key of a member swapped gives the coordinator that member’s shares: guard off, and is refused: guard on', async () => {
    const mallory = await createParty('mallory')
    const plan = makePlan(parties)
    const swapped = plan.cohort.map((member) =>
      member.holder === 'zurich' ? { ...member, boxKey: mallory.member.boxKey } : member,
    )
    const round = planRound({ ...plan, cohort: swapped }, coordinatorKey)
    const contribution = await makeContribution(scheme, round, parties[0], lanesOf('any'))
    const spy: Party = { member: parties[4].member, keys: { ...mallory.keys, holder: 'zurich' } }
    await expect(keySumWithoutGuards(round, [contribution], [...parties.slice(0, 4), spy])).resolves.toEqual(
      contribution.oneTimeKey,
    )
    expect(examine({ ...plan, cohort: swapped })).toBe('unaccepted-member')
    const selfSwapped = plan.cohort.map((member) =>
      member.holder === parties[0].keys.holder ? { ...member, statementKey: mallory.member.statementKey } : member,
    )
    expect(examine({ ...plan, cohort: selfSwapped })).toBe('not-in-cohort')
  })

  it('is refused by everybody when it contradicts itself', () => {
    const plan = makePlan(parties)
    const { committee, cohort } = plan
    const broken: Partial<RoundPlan>[] = [
      { cohort: [...cohort, { ...cohort[0], holder: 'twin' }] },
      { cohort: cohort.map((member) => ({ ...member, boxKey: cohort[0].boxKey })) },
      { committee: { ...committee, members: committee.members.map(() => committee.members[0]) } },
      { committee: { ...committee, members: [...committee.members.slice(1), 'nowhere'] } },
      { committee: { ...committee, threshold: committee.members.length + 1 } },
      { committee: { ...committee, threshold: 2 } },
      { committee: { ...committee, tolerates: committee.threshold } },
      { minContributors: cohort.length + 1 },
      { vector: { precisionBits: 16, segments: [...plan.vector.segments.slice(0, 1), ...plan.vector.segments] } },
      { vector: { precisionBits: 16, segments: plan.vector.segments.slice(0, 1) } },
      { vector: { precisionBits: 16, segments: [...plan.vector.segments].reverse() } },
      {
        vector: {
          precisionBits: 32,
          segments: [{ name: 'update', length: 2 ** 40, low: 0, high: 1 }, checkSegment(32)],
        },
        cohort: manyMembers(plan),
      },
    ]
    for (const changes of broken) {
      expect(codeOf(checkPlanConsistency({ ...plan, ...changes })), JSON.stringify(Object.keys(changes))).toBe(
        'inconsistent-plan',
      )
      expect(examine({ ...plan, ...changes })).toBe('inconsistent-plan')
    }
  })
})

/** So many members that 32 bits each leave no lane. */
function manyMembers(plan: RoundPlan) {
  return Array.from({ length: 3000 }, (_, i) => ({
    ...plan.cohort[i % plan.cohort.length],
    ...(i < plan.cohort.length
      ? {}
      : { holder: `h${i}`, statementKey: i.toString(16).padStart(64, '0'), boxKey: i.toString(16).padStart(64, '1') }),
  }))
}
