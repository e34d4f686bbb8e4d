/** When a round counts as dead, and why nobody can open it then. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { checkAbandonment } from '../../src/protocol/abandonment.ts'
import { committeeThreshold, toleratedMembers } from '../../src/protocol/committee.ts'
import { type CoordinatorRound, planRound } from '../../src/protocol/coordinator-round.ts'
import { abandonmentOf, askToGiveUp } from '../support/ask-member.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  endorseWith,
  HOSPITALS,
  makePlan,
  membersOf,
  type Party,
  seedOf,
} from '../support/round-fixtures.ts'

let parties: Party[]
let round: CoordinatorRound
let committee: Party[]
beforeAll(async () => {
  parties = await createParties([...HOSPITALS, 'zurich', 'basel', 'bern', 'geneva'])
  round = planRound(makePlan(parties), coordinatorKey)
  committee = membersOf(round, parties)
})

const check = (proof: ReturnType<typeof abandonmentOf>) => codeOf(checkAbandonment(round.plan, round.planDigest, proof))

describe('an abandonment', () => {
  it('is proven by t members of the plan’s committee, and by no fewer', () => {
    const { threshold } = round.plan.committee
    for (let signers = 0; signers <= committee.length; signers++) {
      const proof = endorseWith(abandonmentOf(round), committee.slice(0, signers))
      expect(check(proof)).toBe(signers >= threshold ? 'accepted' : 'not-abandoned')
    }
  })

  it('is not proven by one member many times, by holders off the committee, or by strangers', async () => {
    const outsider = parties.find((party) => !committee.includes(party))!
    const stranger = await createParty('nowhere')
    const four = endorseWith(abandonmentOf(round), committee.slice(0, 4))
    expect(check(four)).toBe('not-abandoned')
    for (const party of [committee[0], outsider, stranger])
      expect(check(endorseWith(four, [party]))).toBe('not-abandoned')
    expect(check(endorseWith(four, [committee[4]]))).toBe('accepted')
  })

  it('is of one plan: the same words about another prove nothing', () => {
    const elsewhere = planRound(makePlan(parties, { nonce: 'f'.repeat(64) }), coordinatorKey)
    expect(check(endorseWith(abandonmentOf(elsewhere), committee))).toBe('wrong-round')
    expect(check(endorseWith(round.planEnvelope, committee))).toBe('wrong-statement-type')
  })
})

describe('a member that is asked to give a round up', () => {
  it('signs once it has stored that it did, and the same again', () => {
    const abandonment = abandonmentOf(round)
    const given = acceptedOf(askToGiveUp(round, abandonment, committee[0]))
    expect(given.round.abandoned).toBe(true)
    const again = acceptedOf(askToGiveUp(round, abandonment, committee[0], { abandoned: true }))
    expect(again.signature).toEqual(given.signature)
    const proof = { ...abandonment, signatures: [...abandonment.signatures, given.signature] }
    expect(check(endorseWith(proof, committee.slice(1, 5)))).toBe('accepted')
  })

  it('does not when it has answered, though it may have endorsed', () => {
    const endorsedManifest = statementDigest(round.planEnvelope)
    expect(codeOf(askToGiveUp(round, abandonmentOf(round), committee[0], { endorsedManifest }))).toBe('accepted')
    const answered = askToGiveUp(round, abandonmentOf(round), committee[0], { endorsedManifest, answered: true })
    expect(codeOf(answered)).toBe('already-answered')
  })

  it('does so for its coordinator, its plan and its seat alone', () => {
    const mallory = statementKeyFromSeed(seedOf('mallory'))
    const elsewhere = planRound(makePlan(parties, { nonce: 'f'.repeat(64) }), coordinatorKey)
    const outsider = parties.find((party) => !committee.includes(party))!
    expect(codeOf(askToGiveUp(round, abandonmentOf(round, {}, mallory), committee[0]))).toBe('bad-signature')
    expect(codeOf(askToGiveUp(round, abandonmentOf(elsewhere), committee[0]))).toBe('wrong-round')
    expect(codeOf(askToGiveUp(round, abandonmentOf(round), outsider))).toBe('not-on-committee')
  })
})

describe('t signatures on an abandonment', () => {
  it('leave fewer than t that can ever answer, in every committee, whatever its f liars do', () => {
    for (let k = 2; k <= 15; k++) {
      const t = committeeThreshold(k)
      for (let f = 0; f <= toleratedMembers(k, t); f++) {
        // Of t signers at least t − f are honest, and never answer; all the others might.
        expect(k - (t - f), `k ${k}, t ${t}, f ${f}`).toBeLessThan(t)
      }
    }
  })

  it('and t answers do not both come about, in whatever order members that keep the rules are asked', () => {
    const sizes = fc.integer({ min: 2, max: 15 })
    const runs = sizes.chain((k) => {
      const f = toleratedMembers(k, committeeThreshold(k))
      const asked = fc.record({ member: fc.nat(k - 1), answer: fc.boolean() })
      return fc.record({ k: fc.constant(k), f: fc.constant(f), requests: fc.array(asked, { maxLength: 60 }) })
    })
    fc.assert(
      fc.property(runs, ({ k, f, requests }) => {
        // The first f members do both.
        const [answered, gaveUp] = [new Set<number>(), new Set<number>()]
        for (let liar = 0; liar < f; liar++) {
          answered.add(liar)
          gaveUp.add(liar)
        }
        for (const { member, answer } of requests) {
          if (member < f) continue
          if (answer && !gaveUp.has(member)) answered.add(member)
          if (!answer && !answered.has(member)) gaveUp.add(member)
        }
        const t = committeeThreshold(k)
        expect(answered.size >= t && gaveUp.size >= t).toBe(false)
      }),
      { numRuns: 300 },
    )
  })
})
