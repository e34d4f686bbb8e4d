/** What contributors say that they dealt: taken in, logged, and weighed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import {
  type CoordinatorRound,
  closeCollection,
  judgeRound,
  orderedDealings,
  planRound,
  receiveDealing,
  receiveShareCheck,
} from '../../src/protocol/coordinator-round.ts'
import { type Dealing, dealingStatement, signDealing } from '../../src/protocol/dealing.ts'
import { shareCheckStatement } from '../../src/protocol/share-check.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import { checkWithoutGuards, forgeCandidates, logOfStatements } from '../support/ask-member.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  forgeManifest,
  lanesOf,
  type MadeContribution,
  makeContribution,
  makePlan,
  membersOf,
  NOW,
  type Party,
  receiveAll,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let parties: Party[]
let made: MadeContribution[]
let round: CoordinatorRound
beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties()
  const planned = planRound(makePlan(parties), coordinatorKey)
  made = []
  for (const party of parties) made.push(await makeContribution(scheme, planned, party, lanesOf(party.keys.holder)))
  round = acceptedOf(closeCollection(receiveAll(planned, made), 'f'.repeat(64), coordinatorKey, NOW))
})
afterAll(() => scheme.dispose())

function dealingOf(i: number, candidates = statementDigest(round.candidates!)): Envelope {
  const { plan, planDigest } = round
  return signDealing(plan, planDigest, candidates, made[i].holder, made[i].shares, parties[i].keys.statementKey)
}

/** A dealing with something else in it, signed as it says. */
function rewrite(i: number, changes: (dealing: Dealing) => Dealing, by = parties[i]): Envelope {
  const body = acceptedOf(parseStatement(dealingStatement, dealingOf(i)))
  return signStatement(dealingStatement, changes(body), by.keys.statementKey)
}

describe('a dealing', () => {
  it('says of each member what that member publishes of its share', async () => {
    const { combinations } = acceptedOf(parseStatement(dealingStatement, dealingOf(0)))
    expect(combinations.map(({ member }) => member)).toEqual(round.plan.committee.members)
    for (const [i, party] of membersOf(round, parties).entries()) {
      const check = await checkWithoutGuards(round, round.candidates!, made, party)
      const body = acceptedOf(parseStatement(shareCheckStatement, check))
      expect(combinations[i].values).toEqual(body.combinations.find(({ holder }) => holder === made[0].holder)!.values)
    }
  })

  it('is of one candidate set: under another challenge it says something else', () => {
    const values = (candidates: string) =>
      acceptedOf(parseStatement(dealingStatement, dealingOf(0, candidates))).combinations.map((each) => each.values)
    expect(values('a'.repeat(64))).not.toEqual(values('b'.repeat(64)))
  })

  it('is taken in of a candidate, for these candidates, under its own key; the first counts', async () => {
    const give = (holder: string, envelope: Envelope, into = round) => receiveDealing(into, holder, envelope)
    const received = acceptedOf(give(made[0].holder, dealingOf(0)))
    expect(orderedDealings(received).map(statementDigest)).toEqual([statementDigest(dealingOf(0))])
    const other = rewrite(0, (body) => ({
      ...body,
      combinations: body.combinations.map((each) => ({ ...each, values: [0, 0, 0] })),
    }))
    expect(acceptedOf(give(made[0].holder, other, received)).dealings).toEqual(received.dealings)
    const stranger = await createParty('nowhere')
    expect(
      codeOf(
        give(
          'nowhere',
          rewrite(0, (body) => ({ ...body, holder: 'nowhere' }), stranger),
        ),
      ),
    ).toBe('not-in-cohort')
    expect(codeOf(give(made[0].holder, dealingOf(1)))).toBe('bad-signature')
    expect(
      codeOf(
        give(
          made[0].holder,
          rewrite(0, (body) => ({ ...body, holder: made[1].holder })),
        ),
      ),
    ).toBe('bad-signature')
    expect(codeOf(give(made[0].holder, dealingOf(0, 'c'.repeat(64))))).toBe('wrong-round')
    expect(
      codeOf(
        give(
          made[0].holder,
          rewrite(0, (body) => ({ ...body, plan: 'c'.repeat(64) })),
        ),
      ),
    ).toBe('wrong-round')
    const silent = rewrite(0, (body) => ({ ...body, combinations: body.combinations.slice(1) }))
    expect(codeOf(give(made[0].holder, silent))).toBe('malformed-check')
    expect(codeOf(give(made[0].holder, made[0].envelope))).toBe('wrong-statement-type')
    const collecting = planRound(makePlan(parties), coordinatorKey)
    expect(codeOf(give(made[0].holder, dealingOf(0), collecting))).toBe('wrong-phase')
  })

  it('is read from the log in the candidates’ order: the first of each author, of these candidates, before the manifest', async () => {
    const { candidates } = round
    const [first, second] = [dealingOf(0), dealingOf(1)]
    const again = rewrite(0, (body) => ({ ...body, combinations: [...body.combinations].reverse() }))
    const inOtherName = rewrite(1, (body) => ({ ...body, holder: made[0].holder }))
    const read = async (...statements: readonly Envelope[]) =>
      (await logOfStatements(round, ...statements)).dealings.map(statementDigest)
    const both = [first, second].map(statementDigest)
    expect(await read(candidates!, second, first)).toEqual(both)
    expect(await read(candidates!, first, again, second)).toEqual(both)
    expect(await read(candidates!, inOtherName, first, second)).toEqual(both)
    expect(await read(candidates!, dealingOf(0, 'c'.repeat(64)), second)).toEqual(both.slice(1))
    const manifest = forgeManifest(round, made)
    expect(await read(candidates!, first, manifest, second)).toEqual(both.slice(0, 1))
    expect(await read(forgeCandidates(round, made), first, second)).toEqual([])
  })

  it('clears a contributor of a member’s lie about everybody, and sets the liar aside', async () => {
    const [liar, ...honest] = membersOf(round, parties)
    const lie = await checkWithoutGuards(round, round.candidates!, made, liar, (body) => ({
      ...body,
      combinations: body.combinations.map((each) => ({ ...each, values: [1, 2, 3] })),
    }))
    let checked = acceptedOf(receiveShareCheck(round, liar.keys.holder, lie))
    for (const party of honest) {
      const check = await checkWithoutGuards(round, round.candidates!, made, party)
      checked = acceptedOf(receiveShareCheck(checked, party.keys.holder, check))
    }
    expect(acceptedOf(judgeRound(checked)).excluded).toHaveLength(4)
    for (const [i, { holder }] of made.entries()) checked = acceptedOf(receiveDealing(checked, holder, dealingOf(i)))
    expect(acceptedOf(judgeRound(checked))).toEqual({ excluded: [], setAside: [liar.keys.holder] })
  })
})
