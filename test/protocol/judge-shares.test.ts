/** Who is left out of a set by what the members publish about their shares. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { fromHex } from '../../src/crypto/digest.ts'
import { splitKey } from '../../src/crypto/key-shares.ts'
import { combineShare, expandShareChallenge, SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import type { Candidates } from '../../src/protocol/candidates.ts'
import type { Dealing } from '../../src/protocol/dealing.ts'
import { judgeShares, type ShareVerdict } from '../../src/protocol/judge-shares.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import type { ShareCheck } from '../../src/protocol/share-check.ts'
import { complaintAbout } from '../support/ask-member.ts'
import { acceptedOf, codeOf, createParties, HOSPITALS, makePlan, randomnessOf } from '../support/round-fixtures.ts'

const CHALLENGE = 'c'.repeat(64)
const challenge = expandShareChallenge(fromHex(CHALLENGE))

interface Committee {
  readonly plan: RoundPlan
  readonly candidates: Candidates
  readonly members: readonly string[]
  readonly holders: readonly string[]
  /** Honest checks, in the committee's order. */
  readonly checks: readonly ShareCheck[]
}

/** A committee of as many members as there are names, and honest checks of contributions of them all. */
async function committeeOf(names: readonly string[], tamper = (_: string, shares: Uint32Array[]) => shares) {
  const plan = makePlan(await createParties(names))
  const { members, threshold } = plan.committee
  const holders = [...names].sort()
  const shares = holders.map((holder) => {
    const secret = Int32Array.from({ length: SHARED_NUMBERS }, (_, i) => (i % 13) - 6)
    return tamper(holder, splitKey(secret, threshold, members.length, randomnessOf(holder)))
  })
  const checks = members.map((member, i) => ({
    plan: 'a'.repeat(64),
    candidates: CHALLENGE,
    member,
    combinations: holders.map((holder, h) => ({ holder, values: [...combineShare(shares[h][i], challenge)] })),
    unopenable: [],
  }))
  const contributions = holders.map((holder) => ({ holder, contribution: 'd'.repeat(64), payload: 'e'.repeat(64) }))
  const candidates = {
    plan: 'a'.repeat(64),
    contributions,
    nonce: 'f'.repeat(64),
    closedAt: '2026-03-01T12:00:00.000Z',
  }
  return { plan, candidates, members, holders, checks } satisfies Committee
}

const judge = ({ plan, candidates }: Committee, checks: readonly ShareCheck[], dealings: readonly Dealing[] = []) =>
  acceptedOf(judgeShares(plan, candidates, checks, dealings)) satisfies ShareVerdict

/** What each contributor says that it dealt: what honest members have published. */
const dealingsOf = ({ members, holders, checks }: Committee): Dealing[] =>
  holders.map((holder, h) => ({
    plan: 'a'.repeat(64),
    candidates: CHALLENGE,
    holder,
    combinations: members.map((member, i) => ({ member, values: checks[i].combinations[h].values })),
  }))

const nothing = { excluded: [], setAside: [] }

/** A check whose values are all off by one. */
const offEverywhere = (check: ShareCheck): ShareCheck => ({
  ...check,
  combinations: check.combinations.map(({ holder, values }) => ({
    holder,
    values: values.map((v) => (v + 1) % 67_108_859),
  })),
})

const offAbout = (check: ShareCheck, victim: string): ShareCheck => ({
  ...check,
  combinations: check.combinations.map((each) =>
    each.holder === victim ? { ...each, values: each.values.map((v) => (v + 1) % 67_108_859) } : each,
  ),
})

const permutationOf = <T>(all: T[]) => fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })

const replace = (checks: readonly ShareCheck[], at: number, change: (check: ShareCheck) => ShareCheck) =>
  checks.map((check, i) => (i === at ? change(check) : check))

let seven: Committee
let four: Committee
beforeAll(async () => {
  seven = await committeeOf([...HOSPITALS, 'zurich', 'basel', 'bern'])
  four = await committeeOf(HOSPITALS)
})

describe('a verdict on shares', () => {
  it('leaves nobody out when all shares fit, from t members or more', () => {
    for (const committee of [seven, four]) {
      const { threshold } = committee.plan.committee
      for (let given = threshold; given <= committee.members.length; given++) {
        expect(judge(committee, committee.checks.slice(0, given))).toEqual(nothing)
      }
    }
  })

  it('excludes everybody when there are fewer than t checks', () => {
    for (const committee of [seven, four]) {
      const checks = committee.checks.slice(0, committee.plan.committee.threshold - 1)
      expect(judge(committee, checks).excluded.map(({ holder }) => holder)).toEqual(committee.holders)
    }
  })

  it('finds a contributor whose shares lie on no polynomial, in one number of one share, and the member it wronged', async () => {
    const cheat = 'hungary'
    const cheating = await committeeOf([...HOSPITALS, 'zurich', 'basel', 'bern'], (holder, shares) => {
      if (holder === cheat) shares[2][777] = (shares[2][777] + 1) % 67_108_859
      return shares
    })
    expect(judge(cheating, cheating.checks)).toEqual({
      excluded: [{ holder: cheat, members: [cheating.members[2]] }],
      setAside: [],
    })
  })

  it('finds it among four, too, where no member can be named: any three points lie on a polynomial', async () => {
    const cheating = await committeeOf(HOSPITALS, (holder, shares) => {
      if (holder === 'hungary') shares[0][0] = (shares[0][0] + 1) % 67_108_859
      return shares
    })
    expect(judge(cheating, cheating.checks)).toEqual({ excluded: [{ holder: 'hungary', members: [] }], setAside: [] })
  })

  it('finds a contributor that deals of too high a degree, whoever of the members is asked', async () => {
    const cheating = await committeeOf([...HOSPITALS, 'zurich', 'basel', 'bern'], (holder, shares) =>
      holder === 'bern' ? splitKey(new Int32Array(SHARED_NUMBERS), 7, 7, randomnessOf('too high')) : shares,
    )
    for (const left of [7, 6]) {
      const { excluded } = judge(cheating, cheating.checks.slice(7 - left))
      expect(excluded.map(({ holder }) => holder)).toEqual(['bern'])
    }
    // From exactly t points nothing can be seen, and nothing has to be: there is one quorum.
    expect(judge(cheating, cheating.checks.slice(2))).toEqual(nothing)
  })

  it('finds blinding that is off the polynomial, though the key is on it', async () => {
    const cheating = await committeeOf([...HOSPITALS, 'zurich', 'basel', 'bern'], (holder, shares) => {
      if (holder === 'zurich') shares[5][SHARED_NUMBERS - 1] = (shares[5][SHARED_NUMBERS - 1] + 1) % 67_108_859
      return shares
    })
    expect(judge(cheating, cheating.checks).excluded.map(({ holder }) => holder)).toEqual(['zurich'])
  })

  it('sets a lying member aside, and excludes nobody for its words', () => {
    for (const lie of [offEverywhere, (check: ShareCheck) => seven.holders.reduce(complaintAbout, check)]) {
      for (let liar = 0; liar < 7; liar++) {
        expect(judge(seven, replace(seven.checks, liar, lie))).toEqual({
          excluded: [],
          setAside: [seven.members[liar]],
        })
      }
    }
  })

  it('sets two liars of seven aside when they complain; values of two liars that agree on nothing are found as well', () => {
    const complain = (check: ShareCheck) => seven.holders.reduce(complaintAbout, check)
    const two = replace(replace(seven.checks, 1, complain), 4, complain)
    expect(judge(seven, two)).toEqual({ excluded: [], setAside: [seven.members[1], seven.members[4]] })
  })

  it('excludes on one complaint, or one wrong value, and names both sides of the pair', () => {
    for (const lie of [complaintAbout, offAbout]) {
      const checks = replace(seven.checks, 3, (check) => lie(check, 'basel'))
      expect(judge(seven, checks)).toEqual({
        excluded: [{ holder: 'basel', members: [seven.members[3]] }],
        setAside: [],
      })
    }
  })

  it('does not set a member aside for half of the candidates, but for one more', () => {
    const against = (count: number) =>
      judge(
        four,
        replace(four.checks, 0, (check) => four.holders.slice(0, count).reduce(complaintAbout, check)),
      )
    expect(against(2).setAside).toEqual([])
    expect(against(2).excluded).toHaveLength(2)
    expect(against(3)).toEqual({ excluded: [], setAside: [four.members[0]] })
  })

  it('among four cannot say from the checks alone which member lies: all are excluded, and nobody is named', () => {
    const { excluded, setAside } = judge(four, replace(four.checks, 0, offEverywhere))
    expect(setAside).toEqual([])
    expect(excluded).toEqual(four.holders.map((holder) => ({ holder, members: [] })))
  })

  describe('with what contributors say that they dealt', () => {
    it('sets a member aside that lies among four, and excludes nobody for its words', () => {
      for (let liar = 0; liar < 4; liar++) {
        const checks = replace(four.checks, liar, offEverywhere)
        expect(judge(four, checks, dealingsOf(four))).toEqual({ excluded: [], setAside: [four.members[liar]] })
      }
    })

    it('is what it was when everybody is honest', () => {
      expect(judge(four, four.checks, dealingsOf(four))).toEqual(nothing)
      expect(judge(seven, seven.checks, dealingsOf(seven).slice(2))).toEqual(nothing)
    })

    it('excludes a contributor that says it dealt otherwise than a member has it, and names the pair', () => {
      const dealings = dealingsOf(four).map((dealing) => ({
        ...dealing,
        combinations: dealing.combinations.map((each, i) =>
          dealing.holder === 'hungary' && i === 1
            ? { ...each, values: each.values.map((v) => (v + 1) % 67_108_859) }
            : each,
        ),
      }))
      expect(judge(four, four.checks, dealings)).toEqual({
        excluded: [{ holder: 'hungary', members: [four.members[1]] }],
        setAside: [],
      })
    })

    it('names the pair among four when one share is wrong, whoever of the two is to blame', async () => {
      const cheating = await committeeOf(HOSPITALS, (holder, shares) => {
        if (holder === 'hungary') shares[0][0] = (shares[0][0] + 1) % 67_108_859
        return shares
      })
      // The cheat says what it should have dealt; or the member lies about what it got.
      expect(judge(cheating, cheating.checks, dealingsOf(four))).toEqual({
        excluded: [{ holder: 'hungary', members: [cheating.members[0]] }],
        setAside: [],
      })
      const lied = replace(four.checks, 0, (check) => offAbout(check, 'hungary'))
      expect(judge(four, lied, dealingsOf(four))).toEqual({
        excluded: [{ holder: 'hungary', members: [four.members[0]] }],
        setAside: [],
      })
    })

    it('excludes a contributor that owns up to shares on no polynomial', async () => {
      const cheating = await committeeOf(HOSPITALS, (holder, shares) => {
        if (holder === 'hungary') shares[0][0] = (shares[0][0] + 1) % 67_108_859
        return shares
      })
      expect(judge(cheating, cheating.checks, dealingsOf(cheating))).toEqual({
        excluded: [{ holder: 'hungary', members: [] }],
        setAside: [],
      })
    })

    it('is refused on a dealing that does not speak of every member once, in order', () => {
      const [dealing, ...rest] = dealingsOf(four)
      const { combinations } = dealing
      for (const odd of [combinations.slice(1), [...combinations].reverse(), [...combinations, combinations[0]]]) {
        const dealings = [{ ...dealing, combinations: odd }, ...rest]
        expect(codeOf(judgeShares(four.plan, four.candidates, four.checks, dealings))).toBe('malformed-check')
      }
    })
  })

  it('is refused on a check that does not speak of every candidate once, in their order', () => {
    const [check] = seven.checks
    const { combinations } = check
    const odd: Partial<ShareCheck>[] = [
      { combinations: combinations.slice(1) },
      { combinations: [...combinations, combinations[0]] },
      { combinations: [...combinations].reverse() },
      { unopenable: ['basel'] },
      { unopenable: ['nowhere'] },
      { combinations: combinations.slice(1), unopenable: [combinations[0].holder, combinations[0].holder] },
      { combinations: combinations.map((each, i) => (i === 0 ? { ...each, holder: 'nowhere' } : each)) },
    ]
    for (const changes of odd) {
      const checks = replace(seven.checks, 0, (whole) => ({ ...whole, ...changes }))
      expect(codeOf(judgeShares(seven.plan, seven.candidates, checks))).toBe('malformed-check')
    }
  })

  it('does not depend on the order in which the checks came', () => {
    const complained = replace(seven.checks, 3, (check) => complaintAbout(check, 'basel'))
    const lied = replace(complained, 1, offEverywhere)
    const expected = judge(seven, lied)
    fc.assert(
      fc.property(permutationOf(lied), permutationOf(dealingsOf(seven)), (checks, dealings) => {
        expect(judge(seven, checks)).toEqual(expected)
        expect(judge(seven, checks, dealings)).toEqual(judge(seven, lied, dealingsOf(seven)))
      }),
      { numRuns: 25 },
    )
  })
})
