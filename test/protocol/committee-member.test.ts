/** What binds a member's signature and its answer to one plan, one coordinator, one set of ciphertexts. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Envelope } from '../../src/crypto/envelope.ts'
import { packShare, splitKey } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { sealBox } from '../../src/crypto/sealed-box.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { answerCertificate, endorseManifest } from '../../src/protocol/committee-member.ts'
import { contributionStatement, shareAssociatedData } from '../../src/protocol/contribution.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import { type Manifest, manifestStatement } from '../../src/protocol/manifest.ts'
import { findMember } from '../../src/protocol/round-plan.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
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
  openSum,
  type Party,
  plainSum,
  randomnessOf,
  type SealedRound,
  sealRoundOf,
  seedOf,
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

const envelopesOf = (contributions: readonly MadeContribution[]) => contributions.map(({ envelope }) => envelope)

/** The codes with which the first member answers a request to endorse, and one to open under every signature there is. */
async function ask(manifest: Envelope, contributions: readonly MadeContribution[], round = sealed.round) {
  const [{ keys }] = parties
  const known = memberRound(round)
  const envelopes = envelopesOf(contributions)
  const certificate = endorseWith(manifest, parties)
  return {
    endorsing: codeOf(endorseManifest(known, manifest, envelopes, coordinatorKey.publicKey, keys)),
    answering: codeOf(await answerCertificate(known, certificate, envelopes, coordinatorKey.publicKey, keys)),
  }
}

/** The coordinator's manifest with something else in it. */
function rewriteManifest(changes: (manifest: Manifest) => Manifest, key = coordinatorKey): Envelope {
  const manifest = acceptedOf(parseStatement(manifestStatement, sealed.round.manifest!))
  return signStatement(manifestStatement, changes(manifest), key)
}

describe('a committee member', () => {
  it('signs and answers the manifest of its coordinator over exactly the contributions it names', async () => {
    const { round, contributions } = sealed
    expect(await ask(round.manifest!, contributions)).toEqual({ endorsing: 'accepted', answering: 'accepted' })
    expect(await ask(round.manifest!, [...contributions].reverse())).toEqual({
      endorsing: 'accepted',
      answering: 'accepted',
    })
  })

  it('neither signs nor answers a manifest that only somebody else signed, though every member signs it', async () => {
    const mallory = statementKeyFromSeed(seedOf('mallory'))
    const forged = rewriteManifest((manifest) => manifest, mallory)
    expect(await ask(forged, sealed.contributions)).toEqual({
      endorsing: 'bad-signature',
      answering: 'bad-signature',
    })
  })

  it('neither signs nor answers, in this round, a manifest of another plan over this round’s contributions', async () => {
    const elsewhere = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    const moved = rewriteManifest((manifest) => ({ ...manifest, plan: elsewhere.planDigest }))
    expect(await ask(moved, sealed.contributions)).toEqual({ endorsing: 'wrong-round', answering: 'wrong-round' })
  })

  it('neither signs nor answers a manifest that names another ciphertext than the contributor did', async () => {
    const swapped = rewriteManifest(({ contributions: [first, second, ...rest], ...manifest }) => ({
      ...manifest,
      contributions: [{ ...first, payload: second.payload }, { ...second, payload: first.payload }, ...rest],
    }))
    expect(await ask(swapped, sealed.contributions)).toEqual({
      endorsing: 'payload-mismatch',
      answering: 'payload-mismatch',
    })
  })

  it('neither signs nor answers when it is shown more contributions than the manifest names', async () => {
    const { round, contributions } = sealed
    const three = contributions.slice(1)
    expect(await ask(forgeManifest(round, three), contributions)).toEqual({
      endorsing: 'contributions-mismatch',
      answering: 'contributions-mismatch',
    })
  })
})

describe('a sealed share', () => {
  /** A contribution to this round, the shares of which were sealed for another: same ciphertext, same names, same key. */
  async function withSharesOf(otherPlanDigest: string): Promise<MadeContribution> {
    const [made] = sealed.contributions
    const { plan } = sealed.round
    const { members, threshold } = plan.committee
    const body = acceptedOf(parseStatement(contributionStatement, made.envelope))
    const dealt = splitKey(made.oneTimeKey, threshold, members.length, randomnessOf('dealt'))
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
    return (await ask(forgeManifest(sealed.round, contributions), contributions)).answering
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
