/** Malicious or failing holders, and messages that are moved to where they do not belong. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { SHARE_MODULUS, shareBytes } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { type Contribution, contributionStatement } from '../../src/protocol/contribution.ts'
import {
  type CoordinatorRound,
  candidateKeySums,
  closeCollection,
  planRound,
  receiveContribution,
  receiveEndorsement,
  receiveShareSum,
} from '../../src/protocol/coordinator-round.ts'
import { keySumCandidates } from '../../src/protocol/key-sum.ts'
import { dequantiseSums } from '../../src/protocol/quantiser.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { shareCheckStatement } from '../../src/protocol/share-check.ts'
import { shareSumStatement } from '../../src/protocol/share-sum.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import {
  abandonmentOf,
  askToAnswer,
  askToCheck,
  askToEndorse,
  askToGiveUp,
  forgeCandidates,
  logOfStatements,
} from '../support/ask-member.ts'
import { attack } from '../support/attack.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  endorseWith,
  forgeManifest,
  HOSPITALS,
  keySumWithoutGuards,
  lanesOf,
  logOfRound,
  type MadeContribution,
  makeContribution,
  makePlan,
  membersOf,
  NOW,
  openSum,
  type Party,
  plainSum,
  randomnessOf,
  sealRoundOf,
  shareSumWithoutGuards,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let parties: Party[]

beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties([...HOSPITALS, 'zurich', 'basel', 'bern'])
})
afterAll(() => scheme.dispose())

/** The same contribution with another body, signed by `author`. */
function rewrite(made: MadeContribution, author: Party, changes: Partial<Contribution>): MadeContribution {
  const body = acceptedOf(parseStatement(contributionStatement, made.envelope))
  return { ...made, envelope: signStatement(contributionStatement, { ...body, ...changes }, author.keys.statementKey) }
}

const receive = (round: CoordinatorRound, made: MadeContribution, holder = made.holder) =>
  receiveContribution(round, holder, made.envelope, made.payload, NOW)

describe('a contribution', () => {
  let round: CoordinatorRound
  let made: MadeContribution

  beforeAll(async () => {
    round = planRound(makePlan(parties), coordinatorKey)
    made = await makeContribution(scheme, round, parties[0], lanesOf('cleveland'))
  })

  it('counts once: the same again changes nothing, another one is refused', async () => {
    const received = acceptedOf(receive(round, made))
    expect(acceptedOf(receive(received, made))).toBe(received)
    const second = rewrite(made, parties[0], {
      shares: acceptedOf(parseStatement(contributionStatement, made.envelope)).shares.map((share, i, all) => ({
        ...share,
        sealed: all[(i + 1) % all.length].sealed,
      })),
    })
    expect(codeOf(receive(received, second))).toBe('duplicate-contribution')
  })

  it('in someone else’s name is refused, whoever signs it', () => {
    expect(codeOf(receive(round, made, 'hungary'))).toBe('bad-signature')
    expect(codeOf(receive(round, rewrite(made, parties[1], {}), 'cleveland'))).toBe('bad-signature')
    expect(codeOf(receive(round, rewrite(made, parties[1], {}), 'hungary'))).toBe('bad-signature')
    expect(codeOf(receive(round, made, 'nowhere'))).toBe('not-in-cohort')
  })

  it('to another plan is refused, even when only the nonce differs', () => {
    const other = planRound(makePlan(parties, { nonce: 'f'.repeat(64) }), coordinatorKey)
    expect(codeOf(receive(other, made))).toBe('wrong-round')
  })

  it('with another ciphertext than it names is refused', () => {
    const swapped = { ...made, payload: { ...made.payload, digest: 'a'.repeat(64) } }
    expect(codeOf(receive(round, swapped))).toBe('payload-mismatch')
    const shorter = rewrite(made, parties[0], { payload: { ...made.payload, bytes: made.payload.bytes - 1 } })
    expect(codeOf(receive(round, shorter))).toBe('payload-mismatch')
    // Of another size than the plan's, though statement and upload agree.
    expect(codeOf(receive(round, { ...shorter, payload: { ...made.payload, bytes: made.payload.bytes - 1 } }))).toBe(
      'payload-mismatch',
    )
  })

  it('without a share for every member, in order, is refused', () => {
    const { shares } = acceptedOf(parseStatement(contributionStatement, made.envelope))
    const reversed = rewrite(made, parties[0], { shares: [...shares].reverse() })
    expect(codeOf(receive(round, rewrite(made, parties[0], { shares: shares.slice(1) })))).toBe('shares-mismatch')
    expect(codeOf(receive(round, reversed))).toBe('shares-mismatch')
  })

  it('after the plan’s time, or after the seal, is refused', async () => {
    const late = new Date(Date.parse(round.plan.collectUntil) + 1)
    expect(codeOf(receiveContribution(round, made.holder, made.envelope, made.payload, late))).toBe('deadline-passed')
    const sealed = await sealRoundOf(scheme, parties, { from: parties.slice(1) })
    const own = await makeContribution(scheme, sealed.round, parties[0], lanesOf('cleveland'))
    expect(codeOf(receive(sealed.round, own))).toBe('wrong-phase')
  })
})

describe('a sealed share', () => {
  /** What a member says of it: of the candidates it is in, and of a certificate that was forced past the check. */
  async function askAbout(round: CoordinatorRound, tampered: readonly MadeContribution[]) {
    const [member] = membersOf(round, parties)
    const candidates = forgeCandidates(round, tampered)
    const log = await logOfStatements(round, candidates)
    const { check } = acceptedOf(await askToCheck(round, candidates, log, tampered, member))
    const { unopenable } = acceptedOf(parseStatement(shareCheckStatement, check))
    const certificate = endorseWith(forgeManifest(round, tampered), parties)
    return { unopenable, answering: codeOf(await askToAnswer(round, certificate, tampered, member)) }
  }
  const notOpenable = { unopenable: ['cleveland'], answering: 'share-not-openable' }

  it('swapped between two members does not open', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    expect(await askAbout(round, contributions)).toEqual({ unopenable: [], answering: 'accepted' })
    const { shares } = acceptedOf(parseStatement(contributionStatement, contributions[0].envelope))
    const swapped = shares.map((share, i) => ({ ...share, sealed: shares[(i + 1) % shares.length].sealed }))
    const tampered = [rewrite(contributions[0], parties[0], { shares: swapped }), ...contributions.slice(1)]
    expect(await askAbout(round, tampered)).toEqual(notOpenable)
  })

  it('copied from another contributor, or from the same contributor in another round, does not open', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const elsewhere = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    const earlier = await makeContribution(scheme, elsewhere, parties[0], lanesOf('cleveland'))
    for (const source of [contributions[1], earlier]) {
      const { shares } = acceptedOf(parseStatement(contributionStatement, source.envelope))
      const inOrder = round.plan.committee.members.map((name) => ({
        member: name,
        sealed: shares.find(({ member }) => member === name)!.sealed,
      }))
      const tampered = [rewrite(contributions[0], parties[0], { shares: inOrder }), ...contributions.slice(1)]
      expect(await askAbout(round, tampered)).toEqual(notOpenable)
    }
  })

  it('is bound to its ciphertext: another one under the same shares does not open', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const payload = { ...contributions[0].payload, digest: 'b'.repeat(64) }
    const changed = { ...rewrite(contributions[0], parties[0], { payload }), payload }
    expect(await askAbout(round, [changed, ...contributions.slice(1)])).toEqual(notOpenable)
  })
})

describe('a manifest', () => {
  it('is not endorsed when a contribution is missing, replaced or of another ciphertext', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const check = async (given: readonly MadeContribution[]) =>
      codeOf(await askToEndorse(round, round.manifest!, given, parties[0]))
    expect(await check(contributions)).toBe('accepted')
    expect(await check(contributions.slice(1))).toBe('contributions-mismatch')
    expect(await check([contributions[1], ...contributions.slice(1)])).toBe('contributions-mismatch')
    const other = rewrite(contributions[0], parties[0], { payload: { ...contributions[0].payload, bytes: 1 } })
    expect(await check([other, ...contributions.slice(1)])).toBe('contributions-mismatch')
  })

  it('is not endorsed by whoever is not on the committee', async () => {
    const eight = [...parties, await createParty('geneva')]
    const { round, contributions } = await sealRoundOf(scheme, eight)
    const outsider = eight.find(({ keys }) => !round.plan.committee.members.includes(keys.holder))!
    expect(codeOf(await askToEndorse(round, round.manifest!, contributions, outsider))).toBe('not-on-committee')
    const certificate = endorseWith(round.manifest!, eight)
    expect(codeOf(await askToAnswer(round, certificate, contributions, outsider))).toBe('not-on-committee')
    const log = await logOfStatements(round, round.candidates!)
    const checked = await askToCheck(round, round.candidates!, log, contributions, outsider)
    expect(codeOf(checked)).toBe('not-on-committee')
    expect(codeOf(askToGiveUp(round, abandonmentOf(round), outsider))).toBe('not-on-committee')
  })
})

/** A certified round of seven, five of whom open. */
async function certifiedRound() {
  const { round, contributions } = await sealRoundOf(scheme, parties)
  const log = await logOfRound(round)
  let certified = round
  for (const party of parties) {
    const endorsed = await askToEndorse(round, round.manifest!, contributions, party, {}, log)
    certified = acceptedOf(receiveEndorsement(certified, party.keys.holder, acceptedOf(endorsed).signature))
  }
  return { round: certified, contributions }
}

async function takeAnswers(
  { round, contributions }: Awaited<ReturnType<typeof certifiedRound>>,
  members: readonly Party[],
) {
  let answered = round
  for (const party of members) {
    const { answer } = acceptedOf(await askToAnswer(round, round.manifest!, contributions, party))
    answered = acceptedOf(receiveShareSum(answered, party.keys.holder, answer))
  }
  return answered
}

describe('holders that drop out', () => {
  it('before the seal leave a round that opens over those who stayed', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties, { from: parties.slice(2, 5) })
    const keySum = await keySumWithoutGuards(round, contributions, parties)
    expect(openSum(scheme, round, contributions, keySum)).toEqual(plainSum(contributions))
  })

  it('before the seal, leaving too few, end the round by name', async () => {
    let round = planRound(makePlan(parties), coordinatorKey)
    for (const party of parties.slice(0, 2)) {
      round = acceptedOf(receive(round, await makeContribution(scheme, round, party, lanesOf(party.keys.holder))))
    }
    expect(codeOf(closeCollection(round, 'f'.repeat(64), coordinatorKey, NOW))).toBe('too-few-contributors')
  })

  it('after the seal may be any k − t of the committee: the rest open the exact sum', async () => {
    const certified = await certifiedRound()
    for (const absent of [
      [0, 1],
      [2, 6],
      [4, 5],
    ]) {
      const present = parties.filter((_, i) => !absent.includes(i))
      const [{ keySum }] = candidateKeySums(await takeAnswers(certified, present))
      expect(openSum(scheme, certified.round, certified.contributions, keySum)).toEqual(
        plainSum(certified.contributions),
      )
    }
  })

  it('one more than that leave the round closed', async () => {
    const certified = await certifiedRound()
    expect([...candidateKeySums(await takeAnswers(certified, parties.slice(0, 4)))]).toEqual([])
  })
})

/** The answers of the whole committee, one of them falsified. */
async function answersWithLie(liar: number, falsify: (share: Uint32Array) => void) {
  const certified = await certifiedRound()
  const points = []
  for (const [i, member] of certified.round.plan.committee.members.entries()) {
    const party = parties.find(({ keys }) => keys.holder === member)!
    const share = await shareSumWithoutGuards(certified.round, certified.contributions, party)
    if (i === liar) falsify(share)
    points.push({ member, point: i + 1, share })
  }
  return { ...certified, points }
}

/** What the coordinator does: the candidate that opens is the key sum. */
function judge({ round, contributions, points }: Awaited<ReturnType<typeof answersWithLie>>) {
  const opened = []
  for (const { keySum, wrongMembers } of keySumCandidates(points, 5, contributions.length)) {
    try {
      const sums = openSum(scheme, round, contributions, keySum)
      dequantiseSums(round.plan.vector, sums.slice(), contributions.length)
      opened.push({ sums, wrongMembers })
    } catch (error) {
      expect(['noise-out-of-bounds', 'sum-out-of-bounds', 'check-not-zero']).toContain((error as { code: string }).code)
    }
  }
  return opened
}

const offByOne = (share: Uint32Array) => {
  share[17] = (share[17] + 1) % SHARE_MODULUS
}

attack({
  name: 'a share sum that is off by one',
  by: 'member',
  wins: 'a short wrong key that names honest members as liars',
  guard: 'the ciphertexts say which key is right, and so who lied',
  lines: [10],
  off: async () => {
    const given = await answersWithLie(0, offByOne)
    const [first] = keySumCandidates(given.points, 5, given.contributions.length)
    // The first quorum contains the liar, is short all the same, and points at others.
    expect(first.wrongMembers).not.toEqual([])
    expect(first.wrongMembers).not.toContain(given.points[0].member)
  },
  on: async () => {
    const given = await answersWithLie(0, offByOne)
    const expected = { sums: plainSum(given.contributions), wrongMembers: [given.points[0].member] }
    expect(judge(given)).toEqual([expected])
  },
})

describe('a wrong share sum', () => {
  it('that is off at random is passed over, and its author named', async () => {
    for (const liar of [0, 3, 6]) {
      const given = await answersWithLie(liar, (share) =>
        randomnessOf('lie').fill(new Uint8Array(share.buffer, 0, 4096)),
      )
      for (let i = 0; i < 1024; i++) given.points[liar].share[i] %= SHARE_MODULUS
      const expected = { sums: plainSum(given.contributions), wrongMembers: [given.points[liar].member] }
      expect(judge(given)).toEqual([expected])
    }
  })

  it('among exactly t answers opens nothing and names nobody', async () => {
    const given = await answersWithLie(0, offByOne)
    expect(judge({ ...given, points: given.points.slice(0, 5) })).toEqual([])
  })

  it('cannot pass in a vector of a single value, because of the check', async () => {
    const vector = { precisionBits: 16, segments: [{ name: 'update', length: 1, low: -1, high: 1 }, checkSegment(16)] }
    const { round, contributions } = await sealRoundOf(scheme, parties, { plan: makePlan(parties, { vector }) })
    const keySum = await keySumWithoutGuards(round, contributions, parties)
    expect(openSum(scheme, round, contributions, keySum)).toEqual(plainSum(contributions))
    for (const coefficient of [0, 1, 2047]) {
      const wrong = keySum.slice()
      wrong[coefficient] += 1
      expect(() => openSum(scheme, round, contributions, wrong)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(noise|sum)-out-of-bounds$/) }),
      )
    }
  })

  it('for another manifest, in another name, twice or malformed is refused', async () => {
    const certified = await certifiedRound()
    const [self, other] = parties
    const answered = await takeAnswers(certified, [self])
    const zeros = Buffer.alloc(shareBytes(SHARED_NUMBERS)).toString('base64')
    const body = {
      plan: answered.planDigest,
      manifest: statementDigest(answered.manifest!),
      member: self.keys.holder,
      shareSum: zeros,
    }
    const give = (changes: Partial<typeof body>, party = self, round = answered) =>
      codeOf(
        receiveShareSum(
          round,
          party.keys.holder,
          signStatement(shareSumStatement, { ...body, ...changes }, party.keys.statementKey),
        ),
      )
    expect(give({})).toBe('bad-share-sum')
    // Of a member whose check is not known nothing speaks against the numbers but that it has given others before.
    expect(give({}, self, { ...answered, checks: new Map() })).toBe('duplicate-share-sum')
    expect(give({ manifest: 'c'.repeat(64) })).toBe('wrong-round')
    expect(give({ plan: 'c'.repeat(64) })).toBe('wrong-round')
    expect(give({ member: self.keys.holder }, other)).toBe('bad-signature')
    expect(give({ shareSum: Buffer.alloc(shareBytes(SHARED_NUMBERS) - 1).toString('base64') })).toBe('bad-share-sum')
    expect(give({ shareSum: Buffer.alloc(shareBytes(SHARED_NUMBERS), 0xff).toString('base64') })).toBe('bad-share-sum')
  })
})
