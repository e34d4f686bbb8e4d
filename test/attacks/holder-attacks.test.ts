/** Malicious or failing holders, and messages that are moved to where they do not belong. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { SHARE_MODULUS } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { answerCertificate, endorseManifest } from '../../src/protocol/committee-member.ts'
import { type Contribution, contributionStatement } from '../../src/protocol/contribution.ts'
import {
  type CoordinatorRound,
  candidateKeySums,
  planRound,
  receiveContribution,
  receiveEndorsement,
  receiveShareSum,
  sealRound,
} from '../../src/protocol/coordinator-round.ts'
import { keySumCandidates } from '../../src/protocol/key-sum.ts'
import { dequantiseSums } from '../../src/protocol/quantiser.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { shareSumStatement } from '../../src/protocol/share-sum.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  endorseWith,
  HOSPITALS,
  keySumWithoutGuards,
  lanesOf,
  type MadeContribution,
  makeContribution,
  makePlan,
  memberRound,
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
  const answerOver = async (round: CoordinatorRound, tampered: readonly MadeContribution[], party: Party) => {
    const envelopes = tampered.map(({ envelope }) => envelope)
    const resealed = acceptedOf(
      sealRound(
        {
          ...planRound(round.plan, coordinatorKey),
          contributions: new Map(
            tampered.map(({ holder, envelope }) => [
              holder,
              {
                envelope,
                digest: statementDigest(envelope),
                contribution: acceptedOf(parseStatement(contributionStatement, envelope)),
              },
            ]),
          ),
        },
        coordinatorKey,
        NOW,
      ),
    )
    const certificate = endorseWith(resealed.manifest!, parties)
    return answerCertificate(memberRound(round), certificate, envelopes, coordinatorKey.publicKey, party.keys)
  }

  it('swapped between two members does not open', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const { shares } = acceptedOf(parseStatement(contributionStatement, contributions[0].envelope))
    const swapped = shares.map((share, i) => ({ ...share, sealed: shares[(i + 1) % shares.length].sealed }))
    const tampered = [rewrite(contributions[0], parties[0], { shares: swapped }), ...contributions.slice(1)]
    const member = parties.find(({ keys }) => keys.holder === round.plan.committee.members[0])!
    expect(codeOf(await answerOver(round, tampered, member))).toBe('share-not-openable')
  })

  it('copied from another contributor, or from the same contributor in another round, does not open', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const elsewhere = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    const earlier = await makeContribution(scheme, elsewhere, parties[0], lanesOf('cleveland'))
    const member = parties.find(({ keys }) => keys.holder === round.plan.committee.members[0])!
    for (const source of [contributions[1], earlier]) {
      const { shares } = acceptedOf(parseStatement(contributionStatement, source.envelope))
      const tampered = [rewrite(contributions[0], parties[0], { shares }), ...contributions.slice(1)]
      expect(codeOf(await answerOver(round, tampered, member))).toBe('share-not-openable')
    }
  })

  it('is bound to its ciphertext: another one under the same shares does not open', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const payload = { ...contributions[0].payload, digest: 'b'.repeat(64) }
    const tampered = [rewrite(contributions[0], parties[0], { payload }), ...contributions.slice(1)]
    const member = parties.find(({ keys }) => keys.holder === round.plan.committee.members[0])!
    expect(codeOf(await answerOver(round, tampered, member))).toBe('share-not-openable')
  })
})

describe('a manifest', () => {
  it('is not endorsed when a contribution is missing, replaced or of another ciphertext', async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const envelopes = contributions.map(({ envelope }) => envelope)
    const check = (given: typeof envelopes) =>
      codeOf(endorseManifest(memberRound(round), round.manifest!, given, coordinatorKey.publicKey, parties[0].keys))
    expect(check(envelopes)).toBe('accepted')
    expect(check(envelopes.slice(1))).toBe('contributions-mismatch')
    expect(check([envelopes[1], ...envelopes.slice(1)])).toBe('contributions-mismatch')
    const other = rewrite(contributions[0], parties[0], { payload: { ...contributions[0].payload, bytes: 1 } })
    expect(check([other.envelope, ...envelopes.slice(1)])).toBe('contributions-mismatch')
  })

  it('is not endorsed by whoever is not on the committee', async () => {
    const eight = [...parties, await createParty('geneva')]
    const { round, contributions } = await sealRoundOf(scheme, eight)
    const outsider = eight.find(({ keys }) => !round.plan.committee.members.includes(keys.holder))!
    const envelopes = contributions.map(({ envelope }) => envelope)
    const endorsed = endorseManifest(
      memberRound(round),
      round.manifest!,
      envelopes,
      coordinatorKey.publicKey,
      outsider.keys,
    )
    expect(codeOf(endorsed)).toBe('not-on-committee')
  })
})

/** A certified round of seven, five of whom open. */
async function certifiedRound() {
  const { round, contributions } = await sealRoundOf(scheme, parties)
  let certified = round
  for (const party of parties) {
    const envelopes = contributions.map(({ envelope }) => envelope)
    const endorsed = endorseManifest(
      memberRound(round),
      round.manifest!,
      envelopes,
      coordinatorKey.publicKey,
      party.keys,
    )
    certified = acceptedOf(receiveEndorsement(certified, party.keys.holder, acceptedOf(endorsed).signature))
  }
  return { round: certified, contributions, envelopes: contributions.map(({ envelope }) => envelope) }
}

async function takeAnswers(
  { round, envelopes }: Awaited<ReturnType<typeof certifiedRound>>,
  members: readonly Party[],
) {
  let answered = round
  for (const { keys } of members) {
    const { answer } = acceptedOf(
      await answerCertificate(memberRound(round), round.manifest!, envelopes, coordinatorKey.publicKey, keys),
    )
    answered = acceptedOf(receiveShareSum(answered, keys.holder, answer))
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
    expect(codeOf(sealRound(round, coordinatorKey, NOW))).toBe('too-few-contributors')
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

describe('a wrong share sum', () => {
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
        expect(['noise-out-of-bounds', 'sum-out-of-bounds', 'check-not-zero']).toContain(
          (error as { code: string }).code,
        )
      }
    }
    return opened
  }

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

  it('that is off by one makes a short key that frames honest members: guard off, the ciphertexts tell: guard on', async () => {
    const given = await answersWithLie(0, (share) => {
      share[17] = (share[17] + 1) % SHARE_MODULUS
    })
    const [first] = keySumCandidates(given.points, 5, given.contributions.length)
    // The first quorum contains the liar, is short all the same, and points at others.
    expect(first.wrongMembers).not.toContain(given.points[0].member)
    const expected = { sums: plainSum(given.contributions), wrongMembers: [given.points[0].member] }
    expect(judge(given)).toEqual([expected])
  })

  it('among exactly t answers opens nothing and names nobody', async () => {
    const given = await answersWithLie(0, (share) => {
      share[17] = (share[17] + 1) % SHARE_MODULUS
    })
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
    const body = {
      plan: answered.planDigest,
      manifest: statementDigest(answered.manifest!),
      member: self.keys.holder,
      shareSum: Buffer.alloc(6656).toString('base64'),
    }
    const give = (changes: Partial<typeof body>, party = self) =>
      codeOf(
        receiveShareSum(
          answered,
          party.keys.holder,
          signStatement(shareSumStatement, { ...body, ...changes }, party.keys.statementKey),
        ),
      )
    expect(give({})).toBe('duplicate-share-sum')
    expect(give({ manifest: 'c'.repeat(64) })).toBe('wrong-round')
    expect(give({ plan: 'c'.repeat(64) })).toBe('wrong-round')
    expect(give({ member: self.keys.holder }, other)).toBe('bad-signature')
    expect(give({ shareSum: Buffer.alloc(6655).toString('base64') })).toBe('bad-share-sum')
    expect(give({ shareSum: Buffer.alloc(6656, 0xff).toString('base64') })).toBe('bad-share-sum')
  })
})
