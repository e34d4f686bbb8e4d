/** What binds a member's signature and its answer to one plan, one coordinator, one set of ciphertexts. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { packShare, SHARE_MODULUS, splitKey, unpackShare } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { sealBox } from '../../src/crypto/sealed-box.ts'
import { combineShare, drawSharedNumbers, expandShareChallenge, SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { type Candidate, candidatesStatement } from '../../src/protocol/candidates.ts'
import { checkShares } from '../../src/protocol/committee-member.ts'
import { contributionStatement, shareAssociatedData } from '../../src/protocol/contribution.ts'
import { orderedChecks, planRound } from '../../src/protocol/coordinator-round.ts'
import { type Manifest, manifestStatement } from '../../src/protocol/manifest.ts'
import type { RoundLog } from '../../src/protocol/round-log.ts'
import { findMember } from '../../src/protocol/round-plan.ts'
import { shareCheckStatement } from '../../src/protocol/share-check.ts'
import { shareSumStatement } from '../../src/protocol/share-sum.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import {
  abandonmentOf,
  askToAnswer,
  askToCheck,
  askToEndorse,
  checkWithoutGuards,
  complaintAbout,
  envelopesOf,
  forgeCandidates,
  logOfStatements,
} from '../support/ask-member.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  endorseWith,
  forgeManifest,
  keySumWithoutGuards,
  type MadeContribution,
  makePlan,
  memberRound,
  membersOf,
  openSum,
  type Party,
  plainSum,
  randomnessOf,
  type SealedRound,
  sealRoundOf,
  seedOf,
  shareSumWithoutGuards,
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

/** What the first member says, by code, when it is asked to check the candidates of a set, to endorse and to answer its manifest. */
async function ask(manifest: Envelope, contributions: readonly MadeContribution[], candidates?: Envelope) {
  const { round } = sealed
  const [member] = membersOf(round, parties)
  const shown = candidates ?? round.candidates!
  const log = await logOfStatements(round, shown)
  return {
    checking: codeOf(await askToCheck(round, shown, log, contributions, member)),
    endorsing: codeOf(await askToEndorse(round, manifest, contributions, member)),
    answering: codeOf(await askToAnswer(round, endorseWith(manifest, parties), contributions, member)),
  }
}

/** The coordinator's manifest with something else in it. */
function rewriteManifest(changes: (manifest: Manifest) => Manifest, key = coordinatorKey): Envelope {
  const manifest = acceptedOf(parseStatement(manifestStatement, sealed.round.manifest!))
  return signStatement(manifestStatement, changes(manifest), key)
}

const first = () => membersOf(sealed.round, parties)[0]
const swapPayloads = <T extends { contributions: readonly Candidate[] }>(body: T): T => {
  const [one, two, ...rest] = body.contributions
  return { ...body, contributions: [{ ...one, payload: two.payload }, { ...two, payload: one.payload }, ...rest] }
}

describe('a committee member', () => {
  it('checks, signs and answers the set of its coordinator over exactly the contributions it names', async () => {
    const { round, contributions } = sealed
    const yes = { checking: 'accepted', endorsing: 'accepted', answering: 'accepted' }
    expect(await ask(round.manifest!, contributions)).toEqual(yes)
    expect(await ask(round.manifest!, [...contributions].reverse())).toEqual(yes)
  })

  it('neither signs nor answers a manifest that only somebody else signed, though every member signs it', async () => {
    const mallory = statementKeyFromSeed(seedOf('mallory'))
    const forged = rewriteManifest((manifest) => manifest, mallory)
    expect(await ask(forged, sealed.contributions)).toMatchObject({
      endorsing: 'bad-signature',
      answering: 'bad-signature',
    })
    const body = acceptedOf(parseStatement(candidatesStatement, sealed.round.candidates!))
    const candidates = signStatement(candidatesStatement, body, mallory)
    const { checking } = await ask(sealed.round.manifest!, sealed.contributions, candidates)
    expect(checking).toBe('bad-signature')
  })

  it('neither checks nor signs nor answers, in this round, a set of another plan over this round’s contributions', async () => {
    const elsewhere = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    const moved = rewriteManifest((manifest) => ({ ...manifest, plan: elsewhere.planDigest }))
    const candidates = forgeCandidates(elsewhere, sealed.contributions)
    expect(await ask(moved, sealed.contributions, candidates)).toEqual({
      checking: 'wrong-round',
      endorsing: 'wrong-round',
      answering: 'wrong-round',
    })
  })

  it('neither checks nor signs nor answers a set that names another ciphertext than the contributor did', async () => {
    const body = acceptedOf(parseStatement(candidatesStatement, sealed.round.candidates!))
    const candidates = signStatement(candidatesStatement, swapPayloads(body), coordinatorKey)
    const swapped = rewriteManifest(swapPayloads)
    expect(await ask(swapped, sealed.contributions, candidates)).toEqual({
      checking: 'payload-mismatch',
      // The log's candidates name the ciphertexts as they are.
      endorsing: 'verdict-mismatch',
      answering: 'payload-mismatch',
    })
    // Logged candidates that name them wrongly, too, with checks that liars signed, do not help.
    const { round, contributions } = sealed
    const digest = statementDigest(candidates)
    const checks: Envelope[] = []
    for (const party of membersOf(round, parties))
      checks.push(await checkWithoutGuards(round, candidates, contributions, party))
    const over = rewriteManifest((manifest) => ({
      ...swapPayloads(manifest),
      candidates: digest,
      checks: checks.map(statementDigest),
    }))
    const log = await logOfStatements(round, candidates, ...checks, over)
    expect(codeOf(await askToEndorse(round, over, contributions, first(), {}, log))).toBe('payload-mismatch')
  })

  it('neither checks nor signs nor answers a set of which it is not shown every contribution', async () => {
    const { round, contributions } = sealed
    expect(await ask(round.manifest!, contributions.slice(1))).toEqual({
      checking: 'contributions-mismatch',
      endorsing: 'contributions-mismatch',
      answering: 'contributions-mismatch',
    })
  })

  it('does not look at contributions beside those that a set names', async () => {
    const three = sealed.contributions.slice(1)
    const candidates = forgeCandidates(sealed.round, three)
    const { checking } = await ask(sealed.round.manifest!, sealed.contributions, candidates)
    expect(checking).toBe('accepted')
  })
})

describe('a share check', () => {
  it('is of the first candidates that the log has, and of no others', async () => {
    const { round, contributions } = sealed
    const { candidates } = round
    const second = forgeCandidates(round, contributions.slice(1))
    const both = await logOfStatements(round, candidates!, second)
    expect(codeOf(await askToCheck(round, candidates!, both, contributions, first()))).toBe('accepted')
    expect(codeOf(await askToCheck(round, second, both, contributions, first()))).toBe('not-in-log')
    const none = await logOfStatements(round)
    expect(codeOf(await askToCheck(round, candidates!, none, contributions, first()))).toBe('not-in-log')
  })

  it('is given for one candidate set: its repeat are the same bytes', async () => {
    const { round, contributions } = sealed
    const log = await logOfStatements(round, round.candidates!)
    const given = acceptedOf(await askToCheck(round, round.candidates!, log, contributions, first()))
    const { checkedCandidates } = given.round
    expect(checkedCandidates).toBe(statementDigest(round.candidates!))
    const again = await askToCheck(round, round.candidates!, log, contributions, first(), { checkedCandidates })
    expect(acceptedOf(again).check).toEqual(given.check)
    const other = forgeCandidates(round, contributions)
    const otherLog = await logOfStatements(round, other)
    const second = await askToCheck(round, other, otherLog, contributions, first(), { checkedCandidates })
    expect(codeOf(second)).toBe('other-candidates-checked')
  })

  it('is given neither in a round that the member, nor in one that the log calls abandoned', async () => {
    const { round, contributions } = sealed
    const log = await logOfStatements(round, round.candidates!)
    const given = await askToCheck(round, round.candidates!, log, contributions, first(), { abandoned: true })
    expect(codeOf(given)).toBe('round-abandoned')
    const dead = await logOfStatements(round, round.candidates!, abandonmentOf(round))
    expect(codeOf(await askToCheck(round, round.candidates!, dead, contributions, first()))).toBe('round-abandoned')
  })

  it('opens no share before every rule is met', async () => {
    const { round, contributions } = sealed
    const log = await logOfStatements(round)
    const untouched = () => expect.unreachable('opened a share')
    const { publicKey } = coordinatorKey
    const envelopes = envelopesOf(contributions)
    const { keys } = first()
    const checked = await checkShares(memberRound(round), round.candidates!, log, envelopes, publicKey, keys, untouched)
    expect(codeOf(checked)).toBe('not-in-log')
  })
})

describe('an endorsement', () => {
  const endorse = (manifest: Envelope, log?: RoundLog, remembered = {}) =>
    askToEndorse(sealed.round, manifest, sealed.contributions, first(), remembered, log).then(codeOf)

  it('is of the first manifest that the log has, over the candidates that it has', async () => {
    const { round } = sealed
    const { candidates, manifest } = round
    const checks = orderedChecks(round)
    const later = forgeManifest(round, sealed.contributions, { sealedAt: '2026-03-01T12:00:00.001Z' })
    const both = await logOfStatements(round, candidates!, ...checks, manifest!, later)
    expect(await endorse(manifest!, both)).toBe('accepted')
    expect(await endorse(later, both)).toBe('not-in-log')
    expect(await endorse(manifest!, await logOfStatements(round, candidates!, ...checks))).toBe('not-in-log')
    expect(await endorse(manifest!, await logOfStatements(round, ...checks, manifest!))).toBe('not-in-log')
    const over = forgeManifest(round, sealed.contributions, { candidates: 'c'.repeat(64) })
    expect(await endorse(over)).toBe('not-in-log')
  })

  it('needs the candidates that the member checked', async () => {
    const checkedCandidates = 'c'.repeat(64)
    expect(await endorse(sealed.round.manifest!, undefined, { checkedCandidates })).toBe('other-candidates-checked')
  })

  it('needs t share checks in the log, and all of those in the manifest', async () => {
    const { round, contributions } = sealed
    const checks = orderedChecks(round)
    const { candidates } = round
    const over = (given: readonly Envelope[]) =>
      forgeManifest(round, contributions, { checks: given.map(statementDigest) })
    const cases: [Envelope[], Envelope[], string][] = [
      [checks, checks, 'accepted'],
      [checks.slice(0, 3), checks.slice(0, 3), 'accepted'],
      [checks.slice(0, 2), checks.slice(0, 2), 'verdict-mismatch'],
      [checks, checks.slice(0, 3), 'verdict-mismatch'],
      [checks.slice(0, 3), checks, 'verdict-mismatch'],
      [checks, [...checks].reverse(), 'verdict-mismatch'],
    ]
    for (const [logged, named, expected] of cases) {
      const manifest = over(named)
      expect(await endorse(manifest, await logOfStatements(round, candidates!, ...logged, manifest))).toBe(expected)
    }
    // Logged after the manifest, a check does not count.
    const manifest = over(checks)
    const late = await logOfStatements(round, candidates!, ...checks.slice(0, 3), manifest, checks[3])
    expect(await endorse(manifest, late)).toBe('verdict-mismatch')
  })

  it('is of a manifest that leaves out exactly those whom the checks exclude', async () => {
    const { round, contributions } = sealed
    const without = contributions.filter(({ holder }) => holder !== 'hungary')
    const excluded = [{ holder: 'hungary', members: [first().keys.holder] }]
    const lies: [string, Envelope][] = [
      ['left out without a word', forgeManifest(round, without)],
      ['left out by name', forgeManifest(round, without, { excluded })],
      ['left in and excluded', forgeManifest(round, contributions, { excluded })],
      ['a member set aside', forgeManifest(round, contributions, { setAside: [first().keys.holder] })],
    ]
    for (const [name, lie] of lies) expect(await endorse(lie), name).toBe('verdict-mismatch')
  })

  it('leaves out whom a logged complaint excludes: a manifest that lets it in is refused', async () => {
    const { round, contributions } = sealed
    const [liar, ...others] = membersOf(round, parties)
    const { candidates } = round
    const checks = [
      await checkWithoutGuards(round, candidates!, contributions, liar, (body) => complaintAbout(body, 'hungary')),
    ]
    for (const party of others) checks.push(await checkWithoutGuards(round, candidates!, contributions, party))
    const without = contributions.filter(({ holder }) => holder !== 'hungary')
    const named = { checks: checks.map(statementDigest) }
    const excluded = [{ holder: 'hungary', members: [liar.keys.holder] }]
    for (const [manifest, expected] of [
      [forgeManifest(round, without, { ...named, excluded }), 'accepted'],
      [forgeManifest(round, contributions, named), 'verdict-mismatch'],
      [forgeManifest(round, without, { ...named, excluded: [{ holder: 'hungary', members: [] }] }), 'verdict-mismatch'],
    ] as const) {
      expect(await endorse(manifest, await logOfStatements(round, candidates!, ...checks, manifest))).toBe(expected)
    }
  })

  it('is given neither in a round that the member, nor in one that the log calls abandoned', async () => {
    const { round } = sealed
    const { candidates, manifest } = round
    expect(await endorse(manifest!, undefined, { abandoned: true })).toBe('round-abandoned')
    const dead = await logOfStatements(round, candidates!, ...orderedChecks(round), manifest!, abandonmentOf(round))
    expect(await endorse(manifest!, dead)).toBe('round-abandoned')
  })
})

describe('an answer', () => {
  it('binds the member as an endorsement does, and marks it as one that has answered', async () => {
    const { round, contributions } = sealed
    const certificate = endorseWith(round.manifest!, parties)
    const given = acceptedOf(await askToAnswer(round, certificate, contributions, first()))
    expect(given.round).toMatchObject({ endorsedManifest: statementDigest(round.manifest!), answered: true })
  })

  it('is the sum of the shares, which fits what the member published of them in its check', async () => {
    const { round, contributions } = sealed
    const certificate = endorseWith(round.manifest!, parties)
    const { answer } = acceptedOf(await askToAnswer(round, certificate, contributions, first()))
    const { shareSum } = acceptedOf(parseStatement(shareSumStatement, answer))
    const sum = unpackShare(Buffer.from(shareSum, 'base64'), SHARED_NUMBERS)
    expect(sum.subarray(0, 2048)).toEqual(await shareSumWithoutGuards(round, contributions, first()))
    const check = acceptedOf(parseStatement(shareCheckStatement, round.checks.get(first().keys.holder)!))
    const expected = check.combinations.reduce(
      (total, { values }) => total.map((value, r) => (value + values[r]) % SHARE_MODULUS),
      [0, 0, 0],
    )
    const challenge = expandShareChallenge(fromHex(statementDigest(round.candidates!)))
    expect([...combineShare(sum, challenge)]).toEqual(expected)
  })

  it('is not given by a member that has given the round up', async () => {
    const { round, contributions } = sealed
    const certificate = endorseWith(round.manifest!, parties)
    const asked = await askToAnswer(round, certificate, contributions, first(), { abandoned: true })
    expect(codeOf(asked)).toBe('round-abandoned')
  })
})

describe('a sealed share', () => {
  /** A contribution to this round, the shares of which were sealed for another: same ciphertext, same names, same key. */
  async function withSharesOf(otherPlanDigest: string): Promise<MadeContribution> {
    const [made] = sealed.contributions
    const { plan } = sealed.round
    const { members, threshold } = plan.committee
    const body = acceptedOf(parseStatement(contributionStatement, made.envelope))
    const shared = drawSharedNumbers(made.oneTimeKey, randomnessOf('blinding'))
    const dealt = splitKey(shared, threshold, members.length, randomnessOf('dealt'))
    const shares = []
    for (const [i, member] of members.entries()) {
      const associatedData = shareAssociatedData(otherPlanDigest, made.holder, member, made.payload.digest)
      const box = await sealBox(findMember(plan, member)!.boxKey, packShare(dealt[i]), associatedData)
      shares.push({ member, sealed: Buffer.from(box).toString('base64') })
    }
    const envelope = signStatement(contributionStatement, { ...body, shares }, parties[0].keys.statementKey)
    return { ...made, envelope }
  }

  const answerOver = async (replaced: MadeContribution) => {
    const contributions = [replaced, ...sealed.contributions.slice(1)]
    const certificate = endorseWith(forgeManifest(sealed.round, contributions), parties)
    return codeOf(await askToAnswer(sealed.round, certificate, contributions, first()))
  }

  it('dealt for this plan opens the sum: what a share without a plan in it would do in any round', async () => {
    const redealt = await withSharesOf(sealed.round.planDigest)
    expect(await answerOver(redealt)).toBe('accepted')
    const contributions = [redealt, ...sealed.contributions.slice(1)]
    const keySum = await keySumWithoutGuards(sealed.round, contributions, parties)
    expect(openSum(scheme, sealed.round, contributions, keySum)).toEqual(plainSum(contributions))
  })

  it('dealt for another plan does not open, though ciphertext, contributor, member and key are the same', async () => {
    const elsewhere = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    expect(await answerOver(await withSharesOf(elsewhere.planDigest))).toBe('share-not-openable')
  })

  it('is bound to plan, contributor, member and ciphertext, each in its own place', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,8}$/)
    const digest = fc.stringMatching(/^[0-9a-f]{64}$/)
    const binding = fc.tuple(digest, name, name, digest)
    const textOf = (parts: readonly [string, string, string, string]) =>
      Buffer.from(shareAssociatedData(...parts)).toString()
    fc.assert(
      fc.property(binding, fc.nat(3), binding, (parts, place, others) => {
        const moved: typeof parts = [...parts]
        moved[place] = others[place]
        expect(textOf(moved) === textOf(parts)).toBe(moved[place] === parts[place])
        const exchanged: typeof parts = [parts[0], parts[2], parts[1], parts[3]]
        expect(textOf(exchanged) === textOf(parts)).toBe(parts[1] === parts[2])
      }),
    )
  })
})
