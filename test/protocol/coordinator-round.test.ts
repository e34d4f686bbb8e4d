import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Envelope, signatureOver } from '../../src/crypto/envelope.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import {
  advanceRound,
  type CoordinatorRound,
  closeCollection,
  closedContributions,
  manifestOf,
  planRound,
  receiveContribution,
  receiveEndorsement,
  receiveShareCheck,
  receiveShareSum,
  sealRound,
} from '../../src/protocol/coordinator-round.ts'
import { manifestStatement } from '../../src/protocol/manifest.ts'
import type { ShareCheck } from '../../src/protocol/share-check.ts'
import { readStatement } from '../../src/protocol/statement.ts'
import { checkWithoutGuards, complaintAbout } from '../support/ask-member.ts'
import {
  acceptedOf,
  checkRoundShares,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  makePlan,
  membersOf,
  NOW,
  type Party,
  receiveAll,
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

  it('names the contributions in the order of the holders, whatever order they came in', async () => {
    const forwards = planRound(sealed.round.plan, coordinatorKey)
    const closed = await checkRoundShares(receiveAll(forwards, sealed.contributions), parties)
    const reversed = receiveAll(forwards, [...sealed.contributions].reverse())
    const backwards = await checkRoundShares(reversed, [...parties].reverse())
    expect(backwards.candidates).toEqual(closed.candidates)
    const manifest = acceptedOf(sealRound(backwards, coordinatorKey, NOW)).manifest!
    expect(manifest).toEqual(sealed.round.manifest)
    const body = acceptedOf(readStatement(manifestStatement, manifest, coordinatorKey.publicKey))
    const names = body.contributions.map(({ holder }) => holder)
    expect(names).toEqual([...names].sort())
    for (const round of [backwards, sealed.round]) {
      expect(closedContributions(round).map(({ contribution }) => contribution.holder)).toEqual(names)
    }
    expect(closedContributions(planRound(makePlan(parties), coordinatorKey))).toEqual([])
  })

  it('closes its collection once, and over enough organisations', async () => {
    const planned = planRound(makePlan(parties), coordinatorKey)
    const nonce = 'f'.repeat(64)
    const few = receiveAll(planned, sealed.contributions.slice(0, 2))
    expect(codeOf(closeCollection(few, nonce, coordinatorKey, NOW))).toBe('too-few-contributors')
    const closed = acceptedOf(closeCollection(receiveAll(planned, sealed.contributions), nonce, coordinatorKey, NOW))
    expect(codeOf(closeCollection(closed, '0'.repeat(64), coordinatorKey, NOW))).toBe('wrong-phase')
    const [made] = sealed.contributions
    const late = receiveContribution(closed, made.holder, made.envelope, made.payload, NOW)
    expect(codeOf(late)).toBe('wrong-phase')
    expect(codeOf(closeCollection(sealed.round, nonce, coordinatorKey, NOW))).toBe('wrong-phase')
  })

  describe('with its candidates out', () => {
    const nonce = 'f'.repeat(64)
    let checking: CoordinatorRound
    beforeAll(() => {
      const planned = planRound(makePlan(parties), coordinatorKey)
      checking = acceptedOf(closeCollection(receiveAll(planned, sealed.contributions), nonce, coordinatorKey, NOW))
    })
    const checkOf = (party: Party, changes?: (check: ShareCheck) => ShareCheck) =>
      checkWithoutGuards(checking, checking.candidates!, sealed.contributions, party, changes)

    it('takes a share check of a member, of these candidates, once; the same again changes nothing', async () => {
      const [first, second] = parties
      const check = await checkOf(first)
      const give = (holder: string, envelope: Envelope, round = checking) => receiveShareCheck(round, holder, envelope)
      const received = acceptedOf(give(first.keys.holder, check))
      expect(acceptedOf(give(first.keys.holder, check, received)).checks).toEqual(received.checks)
      const { holder } = first.keys
      expect(codeOf(give('nowhere', check))).toBe('not-on-committee')
      expect(codeOf(give(second.keys.holder, check))).toBe('bad-signature')
      const inOtherName = await checkOf(second, (body) => ({ ...body, member: holder }))
      expect(codeOf(give(second.keys.holder, inOtherName))).toBe('bad-signature')
      const other = await checkOf(first, (body) => ({ ...body, candidates: 'c'.repeat(64) }))
      expect(codeOf(give(holder, other))).toBe('wrong-round')
      const elsewhere = await checkOf(first, (body) => ({ ...body, plan: 'c'.repeat(64) }))
      expect(codeOf(give(holder, elsewhere))).toBe('wrong-round')
      const silent = await checkOf(first, (body) => ({ ...body, combinations: body.combinations.slice(1) }))
      expect(codeOf(give(holder, silent))).toBe('malformed-check')
      const changed = await checkOf(first, (body) => complaintAbout(body, 'hungary'))
      expect(codeOf(give(holder, changed, received))).toBe('malformed-check')
      expect(codeOf(give(holder, sealed.contributions[0].envelope))).toBe('wrong-statement-type')
      expect(codeOf(give(holder, check, sealed.round))).toBe('wrong-phase')
    })

    it('is not sealed on fewer than t checks', async () => {
      let round = checking
      expect(codeOf(sealRound(round, coordinatorKey, NOW))).toBe('verdict-mismatch')
      for (const party of membersOf(round, parties).slice(0, 2))
        round = acceptedOf(receiveShareCheck(round, party.keys.holder, await checkOf(party)))
      expect(codeOf(sealRound(round, coordinatorKey, NOW))).toBe('verdict-mismatch')
      const [, , third] = membersOf(round, parties)
      round = acceptedOf(receiveShareCheck(round, third.keys.holder, await checkOf(third)))
      expect(acceptedOf(sealRound(round, coordinatorKey, NOW)).phase).toBe('sealed')
    })

    it('is sealed without whom the checks exclude, with the reason', async () => {
      let round = checking
      const [liar, ...honest] = membersOf(round, parties)
      const complaint = await checkOf(liar, (body) => complaintAbout(body, 'hungary'))
      round = acceptedOf(receiveShareCheck(round, liar.keys.holder, complaint))
      for (const party of honest) round = acceptedOf(receiveShareCheck(round, party.keys.holder, await checkOf(party)))
      const manifest = manifestOf(acceptedOf(sealRound(round, coordinatorKey, NOW)))
      expect(manifest.excluded).toEqual([{ holder: 'hungary', members: [liar.keys.holder] }])
      expect(manifest.contributions.map(({ holder }) => holder)).not.toContain('hungary')
      expect(closedContributions(acceptedOf(sealRound(round, coordinatorKey, NOW)))).toHaveLength(3)
    })

    it('is not sealed when the checks leave too few', async () => {
      let round = checking
      const [first, second, ...honest] = membersOf(round, parties)
      for (const [party, victim] of [
        [first, 'hungary'],
        [second, 'cleveland'],
      ] as const) {
        const complaint = await checkOf(party, (body) => complaintAbout(body, victim))
        round = acceptedOf(receiveShareCheck(round, party.keys.holder, complaint))
      }
      for (const party of honest) round = acceptedOf(receiveShareCheck(round, party.keys.holder, await checkOf(party)))
      expect(codeOf(sealRound(round, coordinatorKey, NOW))).toBe('too-few-contributors')
    })
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
    expect(codeOf(sealRound(collecting, coordinatorKey, NOW))).toBe('wrong-phase')
    expect(codeOf(receiveShareCheck(collecting, keys.holder, made.envelope))).toBe('wrong-phase')
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
