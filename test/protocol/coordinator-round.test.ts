import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signatureOver } from '../../src/crypto/envelope.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import {
  advanceRound,
  type CoordinatorRound,
  planRound,
  receiveContribution,
  receiveEndorsement,
  receiveShareSum,
  sealedContributions,
  sealRound,
} from '../../src/protocol/coordinator-round.ts'
import { manifestStatement } from '../../src/protocol/manifest.ts'
import { readStatement } from '../../src/protocol/statement.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  makePlan,
  NOW,
  type Party,
  type SealedRound,
  sealRoundOf,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let parties: Party[]
let sealed: SealedRound

beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties()
  sealed = await sealRoundOf(scheme, parties)
})
afterAll(() => scheme.dispose())

const endorsementOf = ({ manifest }: CoordinatorRound, { keys }: Party, payload = manifest!.payload) =>
  signatureOver(manifest!.payloadType, payload, keys.statementKey)

function certified(): CoordinatorRound {
  return parties
    .slice(0, 3)
    .reduce(
      (round, party) => acceptedOf(receiveEndorsement(round, party.keys.holder, endorsementOf(round, party))),
      sealed.round,
    )
}

describe('a round at its coordinator', () => {
  it('is not begun on a plan that no role would accept', () => {
    expect(() => planRound(makePlan(parties, { minContributors: 9 }), coordinatorKey)).toThrow(
      expect.objectContaining({ code: 'impossible-plan' }),
    )
  })

  it('never changes a state that was given out: each step makes another', () => {
    const round = planRound(makePlan(parties), coordinatorKey)
    const [made] = sealed.contributions
    const received = acceptedOf(receiveContribution(round, made.holder, made.envelope, made.payload, NOW))
    expect([round.contributions.size, received.contributions.size]).toEqual([0, 1])
    receiveEndorsement(sealed.round, parties[0].keys.holder, endorsementOf(sealed.round, parties[0]))
    expect(sealed.round.manifest!.signatures).toHaveLength(1)
  })

  it('names the sealed contributions in the order of the holders, whatever order they came in', () => {
    let backwards = planRound(sealed.round.plan, coordinatorKey)
    for (const { holder, envelope, payload } of [...sealed.contributions].reverse())
      backwards = acceptedOf(receiveContribution(backwards, holder, envelope, payload, NOW))
    backwards = acceptedOf(sealRound(backwards, coordinatorKey, NOW))
    expect(backwards.manifest).toEqual(sealed.round.manifest)
    const manifest = acceptedOf(readStatement(manifestStatement, sealed.round.manifest!, coordinatorKey.publicKey))
    const names = manifest.contributions.map(({ holder }) => holder)
    expect(names).toEqual([...names].sort())
    expect(sealedContributions(backwards).map(({ contribution }) => contribution.holder)).toEqual(names)
    expect(sealedContributions(planRound(makePlan(parties), coordinatorKey))).toEqual([])
  })

  it('is certified by t distinct members, not by one that signs t times', () => {
    const [first, ...others] = parties
    let round = sealed.round
    for (let i = 0; i < 5; i++)
      round = acceptedOf(receiveEndorsement(round, first.keys.holder, endorsementOf(round, first)))
    expect(round.phase).toBe('sealed')
    round = acceptedOf(receiveEndorsement(round, others[0].keys.holder, endorsementOf(round, others[0])))
    expect(round.phase).toBe('sealed')
    round = acceptedOf(receiveEndorsement(round, others[1].keys.holder, endorsementOf(round, others[1])))
    expect(round.phase).toBe('certified')
  })

  it('takes an endorsement from a member, under its own key, over this manifest', async () => {
    const stranger = await createParty('nowhere')
    const [first, second] = parties
    const give = (holder: string, signature: ReturnType<typeof endorsementOf>) =>
      codeOf(receiveEndorsement(sealed.round, holder, signature))
    expect(give('nowhere', endorsementOf(sealed.round, stranger))).toBe('not-on-committee')
    expect(give(first.keys.holder, endorsementOf(sealed.round, second))).toBe('bad-signature')
    expect(give(first.keys.holder, endorsementOf(sealed.round, first, Buffer.from('{}')))).toBe('bad-signature')
    const lying = { ...endorsementOf(sealed.round, second), keyid: endorsementOf(sealed.round, first).keyid }
    expect(give(first.keys.holder, lying)).toBe('bad-signature')
  })

  it('does nothing out of its order', () => {
    const collecting = planRound(makePlan(parties), coordinatorKey)
    const [made] = sealed.contributions
    const [{ keys }] = parties
    const signature = endorsementOf(sealed.round, parties[0])
    expect(codeOf(receiveEndorsement(collecting, keys.holder, signature))).toBe('wrong-phase')
    expect(codeOf(receiveShareSum(sealed.round, keys.holder, made.envelope))).toBe('wrong-phase')
    expect(codeOf(sealRound(sealed.round, coordinatorKey, NOW))).toBe('wrong-phase')
    const opened = advanceRound(certified(), 'opened')
    expect(codeOf(receiveEndorsement(opened, keys.holder, signature))).toBe('wrong-phase')
    expect(codeOf(receiveShareSum(opened, keys.holder, made.envelope))).toBe('wrong-phase')
    expect(codeOf(sealRound(opened, coordinatorKey, NOW))).toBe('wrong-phase')
  })

  it('goes forward only, and ends once', () => {
    const collecting = planRound(makePlan(parties), coordinatorKey)
    const opened = advanceRound(certified(), 'opened')
    const published = advanceRound(opened, 'published')
    const abandoned = advanceRound(sealed.round, 'abandoned')
    for (const [round, phase] of [
      [collecting, 'opened'],
      [sealed.round, 'opened'],
      [certified(), 'published'],
      [opened, 'opened'],
      [published, 'abandoned'],
      [abandoned, 'opened'],
    ] as const) {
      expect(() => advanceRound(round, phase), `${round.phase} to ${phase}`).toThrow()
    }
  })

  it('takes no share sum but a statement of the member itself', () => {
    const round = certified()
    const [{ keys }] = parties
    const [made] = sealed.contributions
    expect(codeOf(receiveShareSum(round, keys.holder, made.envelope))).toBe('wrong-statement-type')
    expect(codeOf(receiveShareSum(round, 'nowhere', made.envelope))).toBe('not-on-committee')
  })
})
