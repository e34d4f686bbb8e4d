/**
 * A malicious coordinator against the members of a committee. Each attack has two halves: what it wins when the member's
 * guard is off (the test does the member's arithmetic without asking), and that it is refused when the guard is on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { checkCertificate } from '../../src/protocol/committee-member.ts'
import {
  type CoordinatorRound,
  orderedChecks,
  planRound,
  receiveEndorsement,
} from '../../src/protocol/coordinator-round.ts'
import { examinePlan } from '../../src/protocol/plan-policy.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import { checkPlanConsistency, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { askToAnswer, askToCheck, askToEndorse, forgeCandidates, logOfStatements } from '../support/ask-member.ts'
import { attack } from '../support/attack.ts'
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
  makeContribution,
  makePlan,
  membersOf,
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

attack({
  name: 'two overlapping sets of one round',
  by: 'coordinator',
  wins: 'one hospital’s vector, exactly: the difference of two sums',
  guard: 'a member signs and answers one manifest, the first in the log',
  lines: [4],
  off: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim, ...others] = contributions
    const all = openSum(scheme, round, contributions, await keySumWithoutGuards(round, contributions, parties))
    const allButOne = openSum(scheme, round, others, await keySumWithoutGuards(round, others, parties))
    expect(all.map((sum, i) => sum - allButOne[i])).toEqual(Float64Array.from(victim.lanes))
  },
  on: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const fewer = contributions.slice(1)
    const smaller = forgeManifest(round, fewer)
    for (const party of parties) {
      const endorsed = acceptedOf(await askToEndorse(round, round.manifest!, contributions, party))
      const { endorsedManifest } = endorsed.round
      const second = await askToEndorse(round, smaller, fewer, party, { endorsedManifest })
      expect(codeOf(second)).toBe('other-manifest-endorsed')
      const certificate = endorseWith(smaller, parties)
      const answered = await askToAnswer(round, certificate, fewer, party, { endorsedManifest })
      expect(codeOf(answered)).toBe('other-manifest-endorsed')
      // Whatever its disk has forgotten: the log has the first manifest.
      const log = await logOfStatements(round, round.candidates!, ...orderedChecks(round), round.manifest!, smaller)
      expect(codeOf(await askToEndorse(round, smaller, fewer, party, {}, log))).toBe('not-in-log')
    }
  },
})

attack({
  name: 'two manifests, each shown to another part of the committee',
  by: 'coordinator',
  wins: 'two certified sets, when members take a log that no quorum has seen',
  guard: 'two quorums share an honest member: neither reaches t beside the other',
  lines: [5],
  off: async () => {
    // Members that ask for no log at all endorse what each is shown; with f + 1 that sign twice both are certified.
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const smaller = forgeManifest(round, contributions.slice(1))
    const committee = membersOf(round, parties)
    const twice = committee.slice(0, 3)
    const [left, right] = [committee.slice(3, 4), committee.slice(4)]
    expect(codeOf(checkCertificate(round.plan, endorseWith(round.manifest!, [...twice, ...left])))).toBe('accepted')
    expect(codeOf(checkCertificate(round.plan, endorseWith(smaller, [...twice, ...right])))).toBe('accepted')
  },
  on: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    // The second manifest is the sealed one at another time: nothing but the log speaks against it.
    const other = forgeManifest(round, contributions, { sealedAt: new Date(NOW.getTime() + 1).toISOString() })
    const { threshold, members } = round.plan.committee
    for (let split = 0; split <= members.length; split++) {
      let [left, right]: CoordinatorRound[] = [round, { ...round, manifest: other }]
      for (const [i, party] of membersOf(round, parties).entries()) {
        const manifest = i < split ? round.manifest! : other
        const { signature } = acceptedOf(await askToEndorse(round, manifest, contributions, party))
        if (i < split) left = acceptedOf(receiveEndorsement(left, members[i], signature))
        else right = acceptedOf(receiveEndorsement(right, members[i], signature))
      }
      expect(left.phase === 'certified' && right.phase === 'certified').toBe(false)
      expect(left.phase === 'certified').toBe(split >= threshold)
    }
  },
})

attack({
  name: 'a set of one hospital',
  by: 'coordinator',
  wins: 'that hospital’s vector',
  guard: 'every member refuses a set below the plan’s number, with any signatures on it',
  lines: [6],
  off: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [victim] = contributions
    const opened = openSum(scheme, round, [victim], await keySumWithoutGuards(round, [victim], parties))
    expect(opened).toEqual(Float64Array.from(victim.lanes))
  },
  on: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const pair = contributions.slice(0, 2)
    const certificate = endorseWith(forgeManifest(round, pair), parties)
    expect(codeOf(await askToEndorse(round, forgeManifest(round, pair), pair, parties[0]))).toBe('too-few-contributors')
    expect(codeOf(await askToAnswer(round, certificate, pair, parties[0]))).toBe('too-few-contributors')
    const candidates = forgeCandidates(round, pair)
    const log = await logOfStatements(round, candidates)
    expect(codeOf(await askToCheck(round, candidates, log, pair, parties[0]))).toBe('too-few-contributors')
  },
})

describe('a set that is too small', () => {
  it('does not grow by naming a hospital twice', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const doubled = [contributions[0], contributions[1], contributions[1]]
    const endorsed = await askToEndorse(round, forgeManifest(round, doubled), doubled, parties[0])
    expect(codeOf(endorsed)).toBe('duplicate-contribution')
    const candidates = forgeCandidates(round, doubled)
    const checked = await askToCheck(round, candidates, await logOfStatements(round, candidates), doubled, parties[0])
    expect(codeOf(checked)).toBe('duplicate-contribution')
  })

  it('does not grow by identities that the plan never admitted', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const stranger = await createParty('nowhere')
    const smuggled = await makeContribution(scheme, round, stranger, lanesOf('any'))
    const set = [...contributions.slice(0, 2), smuggled]
    expect(codeOf(await askToEndorse(round, forgeManifest(round, set), set, parties[0]))).toBe('not-in-cohort')
    const candidates = forgeCandidates(round, set)
    const checked = await askToCheck(round, candidates, await logOfStatements(round, candidates), set, parties[0])
    expect(codeOf(checked)).toBe('not-in-cohort')
  })

  it('does not grow by two nodes of one organisation', async () => {
    const twins = [parties[0], parties[1], await createParty('hungary-2', 'hungary hospital')]
    const all = [...twins, parties[2]]
    const { round, contributions } = await sealRoundOf(scheme, all)
    const set = contributions.slice(0, 3)
    const [member] = membersOf(round, all)
    expect(codeOf(await askToEndorse(round, forgeManifest(round, set), set, member))).toBe('too-few-contributors')
  })
})

describe('an answer before its time', () => {
  it('is refused without t signatures on the manifest', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const { threshold } = round.plan.committee
    const committee = membersOf(round, parties)
    const short = endorseWith(round.manifest!, committee.slice(0, threshold - 1))
    expect(codeOf(await askToAnswer(round, short, contributions, committee[0]))).toBe('no-certificate')
    const doubled = endorseWith(short, [committee[0], committee[0]])
    expect(codeOf(await askToAnswer(round, doubled, contributions, committee[0]))).toBe('no-certificate')
    const full = endorseWith(round.manifest!, committee.slice(0, threshold))
    expect(codeOf(await askToAnswer(round, full, contributions, committee[0]))).toBe('accepted')
  })

  it('and its repeat are the same bytes', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const certificate = endorseWith(round.manifest!, parties)
    const first = acceptedOf(await askToAnswer(round, certificate, contributions, parties[0]))
    const { endorsedManifest, answered } = first.round
    const again = await askToAnswer(round, certificate, contributions, parties[0], { endorsedManifest, answered })
    expect(acceptedOf(again).answer).toEqual(first.answer)
  })
})

function examine(plan: RoundPlan, changes = {}, key = coordinatorKey) {
  const [self] = parties
  const envelope = signStatement(roundPlanStatement, plan, key)
  return codeOf(examinePlan(envelope, self.member, floorsOf(self, parties, changes), NOW))
}

async function swappedBoxKey() {
  const mallory = await createParty('mallory')
  const plan = makePlan(parties)
  const cohort = plan.cohort.map((member) =>
    member.holder === 'zurich' ? { ...member, boxKey: mallory.member.boxKey } : member,
  )
  return { mallory, plan, swapped: { ...plan, cohort } }
}

attack({
  name: 'a plan with its own box keys in the members’ places',
  by: 'coordinator',
  wins: 'the shares that are sealed to those members, and with t of them a one-time key',
  guard: 'a holder knows its co-members by their keys',
  lines: [13],
  off: async () => {
    const { mallory, swapped } = await swappedBoxKey()
    const round = planRound(swapped, coordinatorKey)
    const contribution = await makeContribution(scheme, round, parties[0], lanesOf('any'))
    const spy: Party = { member: parties[4].member, keys: { ...mallory.keys, holder: 'zurich' } }
    await expect(keySumWithoutGuards(round, [contribution], [...parties.slice(0, 4), spy])).resolves.toEqual(
      contribution.oneTimeKey,
    )
  },
  on: async () => {
    const { mallory, plan, swapped } = await swappedBoxKey()
    expect(examine(swapped)).toBe('unaccepted-member')
    const selfSwapped = plan.cohort.map((member) =>
      member.holder === parties[0].keys.holder ? { ...member, statementKey: mallory.member.statementKey } : member,
    )
    expect(examine({ ...plan, cohort: selfSwapped })).toBe('not-in-cohort')
  },
})

describe('a plan that is not what it should be', () => {
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
