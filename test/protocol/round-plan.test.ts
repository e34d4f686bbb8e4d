import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import { signEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import { KEY_ADDITIVE_RLWE } from '../../src/crypto/key-additive-scheme.ts'
import { toleratedMembers } from '../../src/protocol/committee.ts'
import {
  checkPlanConsistency,
  drawPlanCommittee,
  type Member,
  planParameters,
  type RoundPlan,
  roundPlanStatement,
} from '../../src/protocol/round-plan.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { readStatement, signStatement } from '../../src/protocol/statement.ts'
import { acceptedOf, codeOf, coordinatorKey } from '../support/round-fixtures.ts'

const digest = (text: string) => digestOf(Buffer.from(text))

function memberOf(i: number, organisation = `organisation ${i}`): Member {
  return {
    holder: `holder-${i}`,
    organisation,
    statementKey: digest(`statement ${i}`),
    boxKey: digest(`box ${i}`),
  }
}

/** Plans that nothing speaks against, of two to twelve organisations, some of which run two nodes. */
const plans: fc.Arbitrary<RoundPlan> = fc
  .record({
    organisations: fc.integer({ min: 2, max: 12 }),
    doubled: fc.integer({ min: 0, max: 2 }),
    nonce: fc.nat(),
    precisionBits: fc.integer({ min: 1, max: 32 }),
    lengths: fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 5 }),
    high: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
    floor: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ organisations, doubled, nonce, precisionBits, lengths, high, floor }) => {
    const cohort = Array.from({ length: organisations + doubled }, (_, i) =>
      memberOf(i, `organisation ${i % organisations}`),
    )
    const minContributors = 2 + Math.round(floor * (organisations - 2))
    const job = digest(`job ${nonce}`)
    const committee = drawPlanCommittee({ job, round: 1, cohort })
    return {
      job,
      round: 1,
      nonce: digest(`nonce ${nonce}`),
      step: 'train',
      inputs: [],
      cohort,
      committee: { ...committee, tolerates: Math.min(committee.tolerates, minContributors - 2) },
      minContributors,
      vector: {
        precisionBits,
        segments: [
          ...lengths.map((length, i) => ({ name: `part-${i}`, length, low: -high, high })),
          checkSegment(precisionBits),
        ],
      },
      payload: { scheme: KEY_ADDITIVE_RLWE },
      collectUntil: '2030-01-01T00:00:00.000Z',
      registry: digest('registry'),
      after: { size: nonce, root: digest(`tree ${nonce}`) },
    }
  })

/** One field after the other, made inconsistent with the rest. */
const breaks: Record<string, (plan: RoundPlan) => RoundPlan> = {
  'a holder twice': (plan) => withMember(plan, { holder: plan.cohort[0].holder }),
  'a statement key twice': (plan) => withMember(plan, { statementKey: plan.cohort[0].statementKey }),
  'a box key twice': (plan) => withMember(plan, { boxKey: plan.cohort[0].boxKey }),
  'a member twice on the committee': (plan) =>
    withCommittee(plan, { members: plan.committee.members.map(() => plan.committee.members[0]) }),
  'a stranger on the committee': (plan) =>
    withCommittee(plan, { members: [...plan.committee.members.slice(1), 'stranger'] }),
  'a threshold over the committee': (plan) => withCommittee(plan, { threshold: plan.committee.members.length + 1 }),
  'a threshold without majority': (plan) =>
    withCommittee(plan, { threshold: Math.floor(plan.committee.members.length / 2), tolerates: 0 }),
  'more tolerated than t of k give': (plan) => {
    const { members, threshold } = plan.committee
    return withCommittee(plan, { tolerates: toleratedMembers(members.length, threshold) + 1 })
  },
  'more seats of one organisation than tolerated': (plan) => ({
    ...plan,
    minContributors: 2,
    cohort: [
      ...plan.cohort.map((member) =>
        plan.committee.members.includes(member.holder) ? { ...member, organisation: 'one for all' } : member,
      ),
      memberOf(98),
      memberOf(99),
    ],
  }),
  'a committee of another round': (plan) => ({ ...plan, round: nextDraw(plan) }),
  'a committee in another order': (plan) =>
    withCommittee(plan, { members: [...plan.committee.members.slice(1), plan.committee.members[0]] }),
  'a threshold that is not the drawn one': (plan) =>
    plan.committee.threshold === plan.committee.members.length
      ? withCommittee(plan, { members: plan.committee.members.slice(1) })
      : withCommittee(plan, { threshold: plan.committee.threshold + 1, tolerates: 0 }),
  'one organisation alone': (plan) => ({
    ...plan,
    cohort: plan.cohort.map((member) => ({ ...member, organisation: 'one for all' })),
  }),
  'a floor over the organisations': (plan) => ({
    ...plan,
    minContributors: new Set(plan.cohort.map(({ organisation }) => organisation)).size + 1,
  }),
  'a segment twice': (plan) => withSegments(plan, ([first, ...rest]) => [first, first, ...rest]),
  'no check': (plan) => withSegments(plan, (segments) => segments.slice(0, -1)),
  'a check that is not last': (plan) => withSegments(plan, (segments) => [segments.at(-1)!, ...segments.slice(0, -1)]),
  'a check that is too short': (plan) =>
    withSegments(plan, (segments) => [...segments.slice(0, -1), { ...segments.at(-1)!, length: 63 }]),
  'bounds too far apart for a double': (plan) =>
    withSegments(plan, ([first, ...rest]) => [{ ...first, low: -1.7e308, high: 1.7e308 }, ...rest]),
  'bounds too close together for a double': (plan) =>
    withSegments(plan, ([first, ...rest]) => [{ ...first, low: 0, high: 5e-324 }, ...rest]),
}

/** The first round number with which another committee is drawn, or the same in another order. */
function nextDraw(plan: RoundPlan): number {
  for (let round = plan.round + 1; ; round++) {
    if (drawPlanCommittee({ ...plan, round }).members.join() !== plan.committee.members.join()) return round
  }
}

function withMember(plan: RoundPlan, changes: Partial<Member>): RoundPlan {
  return { ...plan, cohort: [...plan.cohort, { ...memberOf(99), ...changes }] }
}

function withCommittee(plan: RoundPlan, changes: Partial<RoundPlan['committee']>): RoundPlan {
  return { ...plan, committee: { ...plan.committee, ...changes } }
}

type Segments = RoundPlan['vector']['segments']

function withSegments(plan: RoundPlan, change: (segments: Segments) => Segments): RoundPlan {
  return { ...plan, vector: { ...plan.vector, segments: change(plan.vector.segments) } }
}

describe('a plan', () => {
  it('that contradicts itself in nothing is consistent, and comes back from its statement', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(checkPlanConsistency(plan)).toEqual({ ok: true, value: plan })
        const envelope = signStatement(roundPlanStatement, plan, coordinatorKey)
        expect(acceptedOf(readStatement(roundPlanStatement, envelope, coordinatorKey.publicKey))).toEqual(plan)
      }),
    )
  })

  it.each(Object.entries(breaks))('with %s is inconsistent', (_, change) => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(codeOf(checkPlanConsistency(change(plan)))).toBe('inconsistent-plan')
      }),
      { numRuns: 40 },
    )
  })

  it('has the committee that job, round and cohort draw: one seat an organisation, the same for everybody', () => {
    fc.assert(
      fc.property(plans, ({ job, round, cohort, committee }) => {
        const backwards = drawPlanCommittee({ job, round, cohort: [...cohort].reverse() })
        expect(backwards.members).toEqual(committee.members)
        const seats = committee.members.map((name) => cohort.find(({ holder }) => holder === name)!.organisation)
        expect(new Set(seats).size).toBe(seats.length)
      }),
    )
  })

  it('seats everybody about equally often over many jobs', () => {
    const cohort = Array.from({ length: 14 }, (_, i) => memberOf(i))
    const seats = new Map<string, number>()
    for (let job = 0; job < 600; job++) {
      for (const member of drawPlanCommittee({ job: digest(`job ${job}`), round: 1, cohort }).members) {
        seats.set(member, (seats.get(member) ?? 0) + 1)
      }
    }
    // 300 each in the mean, with a deviation of twelve.
    for (const { holder } of cohort) expect(Math.abs(seats.get(holder)! - 300)).toBeLessThan(75)
  })

  it('says in the refusal what is wrong', () => {
    const [plan] = fc.sample(plans, { numRuns: 1, seed: 1 })
    for (const [name, change] of Object.entries(breaks)) {
      const verdict = checkPlanConsistency(change(plan))
      expect(verdict.ok ? '' : verdict.reason, name).toMatch(/^(The|minContributors|\d+ of|A threshold) .{10,}\.$/)
    }
  })

  it('whose numbers are outside their ranges is no plan', () => {
    const [plan] = fc.sample(plans, { numRuns: 1, seed: 2 })
    const [first, ...rest] = plan.vector.segments
    const odd: unknown[] = [
      { ...plan, cohort: plan.cohort.slice(0, 1) },
      { ...plan, round: 0 },
      { ...plan, registry: undefined },
      { ...plan, registry: 'head' },
      { ...plan, round: 1.5 },
      { ...plan, minContributors: 1 },
      { ...plan, job: plan.job.toUpperCase() },
      { ...plan, nonce: plan.nonce.slice(1) },
      { ...plan, step: 'Train' },
      { ...plan, payload: { scheme: 'plain' } },
      { ...plan, collectUntil: '2030-01-01' },
      { ...plan, collectUntil: '2030-02-30T00:00:00.000Z' },
      { ...plan, collectUntil: '2030-01-01T00:00:00.000+01:00' },
      { ...plan, more: 1 },
      withCommittee(plan, { threshold: 1 }),
      withCommittee(plan, { tolerates: -1 }),
      withCommittee(plan, { members: Array.from({ length: 16 }, (_, i) => `holder-${i}`) }),
      withMember(plan, { holder: 'Holder' }),
      withMember(plan, { holder: '../x' }),
      withMember(plan, { organisation: '' }),
      withMember(plan, { boxKey: 'z'.repeat(64) }),
      { ...plan, vector: { ...plan.vector, precisionBits: 33 } },
      { ...plan, vector: { ...plan.vector, precisionBits: 0 } },
      withSegments(plan, () => [{ ...first, length: 0 }, ...rest]),
      withSegments(plan, () => [{ ...first, length: 2 ** 41 }, ...rest]),
      withSegments(plan, () => [{ ...first, low: 1, high: 1 }, ...rest]),
      withSegments(plan, () => [{ ...first, low: null as never }, ...rest]),
    ]
    const read = (value: unknown) => {
      const payload = Buffer.from(JSON.stringify(value))
      const envelope = signEnvelope(roundPlanStatement.payloadType, payload, coordinatorKey)
      return codeOf(readStatement(roundPlanStatement, envelope, coordinatorKey.publicKey))
    }
    expect(read(plan)).toBe('accepted')
    for (const value of odd) expect(read(value), JSON.stringify(value).slice(0, 300)).toBe('malformed-statement')
  })

  it('has the name and the geometry of the vectors', () => {
    const { payloadType, cases } = JSON.parse(
      readFileSync(new URL('../vectors/plan-digest.json', import.meta.url), 'utf8'),
    )
    expect(roundPlanStatement.payloadType).toBe(payloadType)
    for (const { body, planDigest, values, lanes, ciphertextBytes } of cases) {
      const envelope = signEnvelope(payloadType, Buffer.from(body), coordinatorKey)
      expect(statementDigest(envelope)).toBe(planDigest)
      const plan = acceptedOf(readStatement(roundPlanStatement, envelope, coordinatorKey.publicKey))
      expect(checkPlanConsistency(plan).ok).toBe(true)
      expect(planParameters(plan)).toMatchObject({ length: values, lanes, ciphertextBytes })
    }
    expect(new Set(cases.map(({ planDigest }: { planDigest: string }) => planDigest)).size).toBe(3)
  })
})
