import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { examinePlan, type PlanFloors } from '../../src/protocol/plan-policy.ts'
import { type Member, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import {
  codeOf,
  coordinatorKey,
  createParties,
  floorsOf,
  makePlan,
  NOW,
  type Party,
} from '../support/round-fixtures.ts'

let parties: Party[]
beforeAll(async () => {
  parties = await createParties(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
})

function examine(plan: RoundPlan, changes: Partial<PlanFloors> = {}, now = NOW) {
  const [self] = parties
  const envelope = signStatement(roundPlanStatement, plan, coordinatorKey)
  return codeOf(examinePlan(envelope, self.member, floorsOf(self, parties, changes), now))
}

describe('the policy of a holder', () => {
  it('lets a plan pass exactly when it is at or above every floor', () => {
    const floor = fc.integer({ min: 2, max: 8 })
    const numbers = fc.record({
      plan: fc.record({
        minContributors: fc.integer({ min: 2, max: 7 }),
        precisionBits: fc.integer({ min: 1, max: 32 }),
      }),
      floors: fc.record({
        minContributors: floor,
        threshold: floor,
        tolerates: fc.integer({ min: 0, max: 4 }),
        maxPrecisionBits: fc.integer({ min: 1, max: 32 }),
      }),
    })
    fc.assert(
      fc.property(numbers, ({ plan: { minContributors, precisionBits }, floors }) => {
        const vector = {
          precisionBits,
          segments: [{ name: 'update', length: 5, low: -1, high: 1 }, checkSegment(precisionBits)],
        }
        const plan = makePlan(parties, { minContributors, vector })
        const passes =
          minContributors >= floors.minContributors &&
          plan.committee.threshold >= floors.threshold &&
          plan.committee.tolerates >= floors.tolerates &&
          precisionBits <= floors.maxPrecisionBits
        expect(examine(plan, floors)).toBe(passes ? 'accepted' : 'below-policy-floor')
      }),
    )
  })

  it('takes a plan until the last millisecond of its time', () => {
    const plan = makePlan(parties)
    const end = Date.parse(plan.collectUntil)
    expect(examine(plan, {}, new Date(end))).toBe('accepted')
    expect(examine(plan, {}, new Date(end + 1))).toBe('deadline-passed')
  })

  it.each<[keyof Member, string]>([
    ['organisation', 'another organisation'],
    ['statementKey', 'd'.repeat(64)],
    ['boxKey', 'd'.repeat(64)],
  ])('knows every co-member, and itself, by its %s', (field, value) => {
    const plan = makePlan(parties)
    for (const [i, expected] of ['not-in-cohort', 'unaccepted-member', 'unaccepted-member'].entries()) {
      const cohort = plan.cohort.map((member, j) => (i === j ? { ...member, [field]: value } : member))
      expect(examine({ ...plan, cohort })).toBe(expected)
    }
  })

  it('accepts no one by an entry about itself: its own keys are the ones it holds', () => {
    const [self] = parties
    const plan = makePlan(parties)
    const forged = { ...self.member, boxKey: 'd'.repeat(64) }
    const cohort = plan.cohort.map((member) => (member.holder === forged.holder ? forged : member))
    const acceptedMembers = new Map(parties.map(({ member }) => [member.holder, member])).set(forged.holder, forged)
    expect(examine({ ...plan, cohort }, { acceptedMembers })).toBe('not-in-cohort')
  })

  it('does not parse what its coordinator did not sign', () => {
    const { payloadType } = roundPlanStatement
    const unsigned = { payloadType, payload: Buffer.from('{"cohort":'), signatures: [] }
    const [self] = parties
    expect(codeOf(examinePlan(unsigned, self.member, floorsOf(self, parties), NOW))).toBe('unknown-coordinator')
  })
})
