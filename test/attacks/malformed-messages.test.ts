/** Messages that are not what they should be, and what they cost whoever receives them. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Envelope } from '../../src/crypto/envelope.ts'
import { signEnvelope } from '../../src/crypto/envelope.ts'
import { shareBytes, unpackShare } from '../../src/crypto/key-shares.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { readContribution } from '../../src/protocol/collected-contributions.ts'
import { contributionStatement } from '../../src/protocol/contribution.ts'
import { planRound, receiveContribution } from '../../src/protocol/coordinator-round.ts'
import { signedHashSchema } from '../../src/protocol/publication.ts'
import { shareSumStatement } from '../../src/protocol/share-sum.ts'
import { parseStatement, readStatement, STATEMENT_SIGNATURES_MAX, signStatement } from '../../src/protocol/statement.ts'
import { askToAnswer } from '../support/ask-member.ts'
import { attack } from '../support/attack.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  endorseWith,
  forgeManifest,
  lanesOf,
  type MadeContribution,
  makeContribution,
  makePlan,
  NOW,
  type Party,
  randomnessOf,
  sealRoundOf,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let parties: Party[]
let made: MadeContribution
let round: ReturnType<typeof planRound>

beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties()
  round = planRound(makePlan(parties), coordinatorKey)
  made = await makeContribution(scheme, round, parties[0], lanesOf('any'))
})
afterAll(() => scheme.dispose())

/** Bytes that say how many they are and cannot be looked at: whoever refuses them has not read, copied or hashed any. */
function untouchable(length: number): Uint8Array {
  return new Proxy(new Uint8Array(0), {
    get: (_, property) => {
      if (property === 'length') return length
      throw new Error(`touched: ${String(property)}`)
    },
  })
}

function randomBytesOf(name: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  randomnessOf(name).fill(bytes)
  return bytes
}

/** Of a share: the key's coefficients and the blinding. */
const SHARE_BYTES = shareBytes(SHARED_NUMBERS)

const read = (envelope: Envelope) => codeOf(readContribution(round.plan, round.planDigest, envelope, made.holder))
const resign = (payload: Uint8Array | string) =>
  signEnvelope(contributionStatement.payloadType, Buffer.from(payload), parties[0].keys.statementKey)

describe('a statement', () => {
  it('that is too large is refused by its size, before a byte of it is read', () => {
    const huge = { ...made.envelope, payload: untouchable(2 ** 40) }
    expect(read(huge)).toBe('statement-too-large')
    expect(codeOf(parseStatement(contributionStatement, huge))).toBe('statement-too-large')
  })

  it('with more signatures than there are signers is refused before any is verified', () => {
    const [signature] = made.envelope.signatures
    const many = (count: number) => ({
      ...made.envelope,
      signatures: [
        ...Array.from({ length: count - 1 }, () => ({ keyid: signature.keyid, sig: untouchable(64) })),
        signature,
      ],
    })
    expect(read(many(STATEMENT_SIGNATURES_MAX + 1))).toBe('statement-too-large')
    // Guard off, in effect: under the limit they are looked at, one after the other.
    expect(() => read(many(STATEMENT_SIGNATURES_MAX))).toThrow()
  })

  it('of a stranger is not parsed: nonsense that nobody signed is refused for its signature', () => {
    const nonsense = { ...made.envelope, payload: Buffer.from('{"plan":'), signatures: [] }
    expect(codeOf(parseStatement(contributionStatement, nonsense))).toBe('malformed-statement')
    expect(read(nonsense)).toBe('bad-signature')
  })

  it('cut short anywhere is refused, also when its author signs the rest', () => {
    const { payload } = made.envelope
    expect(read(resign(payload))).toBe('accepted')
    fc.assert(
      fc.property(fc.integer({ min: 0, max: payload.length - 1 }), (length) => {
        expect(read(resign(payload.subarray(0, length)))).toBe('malformed-statement')
        expect(read({ ...made.envelope, payload: payload.subarray(0, length) })).toBe('bad-signature')
      }),
    )
  })

  it('with one byte changed is nobody’s', () => {
    fc.assert(
      fc.property(fc.nat(made.envelope.payload.length - 1), fc.integer({ min: 1, max: 255 }), (position, flip) => {
        const payload = made.envelope.payload.slice()
        payload[position] ^= flip
        expect(read({ ...made.envelope, payload })).toBe('bad-signature')
      }),
    )
  })

  it('has one form where it carries bytes, and none of the things that JSON merely tolerates', () => {
    const text = Buffer.from(made.envelope.payload).toString()
    const body = JSON.parse(text)
    const { sealed } = body.shares[0]
    const withSealed = (odd: string) =>
      JSON.stringify({ ...body, shares: [{ ...body.shares[0], sealed: odd }, ...body.shares.slice(1)] })
    for (const odd of [
      withSealed(` ${sealed.slice(1)}`),
      withSealed(sealed.replaceAll('+', '-').replaceAll('/', '_')),
      `\u{feff}${text}`,
      `${text}\0`,
      `${text}{}`,
      text.replace('{', '{"__proto__":{},'),
      text.replace('{', '{"more":1,'),
      text.replace(round.planDigest, round.planDigest.toUpperCase()),
      '[]',
      'null',
      '',
    ]) {
      expect(read(resign(odd)), odd.slice(0, 40)).toBe('malformed-statement')
    }
  })

  it('has one base64 for its bytes, padding and the bits that it leaves over included', () => {
    const signature = Buffer.from(randomBytesOf('signature', 64)).toString('base64')
    const last = signature.indexOf('=') - 1
    const looser = String.fromCharCode(signature.charCodeAt(last) + 1)
    const other = signature.slice(0, last) + looser + signature.slice(last + 1)
    // Many decoders give the same bytes.
    expect(Buffer.from(other, 'base64')).toEqual(Buffer.from(signature, 'base64'))
    const read = (text: string) =>
      signedHashSchema.safeParse({ holder: 'hungary', hash: '0'.repeat(32), signature: text })
    expect(read(signature).success).toBe(true)
    const urlSafe = signature.replaceAll('+', '-').replaceAll('/', '_')
    for (const odd of [other, signature.replaceAll('=', ''), ` ${signature.slice(1)}`, urlSafe]) {
      expect(read(odd).success, odd).toBe(odd === signature)
    }
  })

  it('is not quoted in its refusal: not at length, and not its values', () => {
    const body = JSON.parse(Buffer.from(made.envelope.payload).toString())
    const chatty = resign(JSON.stringify({ ...body, ['x'.repeat(100_000)]: 1 }))
    const verdict = parseStatement(contributionStatement, chatty)
    expect(verdict.ok ? '' : verdict.reason).toMatch(/malformed/)
    expect(verdict.ok ? '' : verdict.reason.length).toBeLessThan(400)
    const secret = 'do not repeat this'
    const spoken = parseStatement(contributionStatement, resign(JSON.stringify({ ...body, plan: secret })))
    expect(spoken.ok ? '' : spoken.reason).toMatch(/malformed at plan/)
    expect(spoken.ok ? '' : spoken.reason).not.toContain(secret)
  })
})

describe('a share', () => {
  it('of another length is refused by its length, before a byte of it is read', () => {
    for (const length of [0, SHARE_BYTES - 1, SHARE_BYTES + 1, 2 ** 40]) {
      expect(() => unpackShare(untouchable(length), SHARED_NUMBERS)).toThrow(
        expect.objectContaining({ code: 'bad-share' }),
      )
    }
  })

  it('sum that is too long is no statement', () => {
    const body = { plan: round.planDigest, manifest: round.planDigest, member: 'cleveland' }
    const [{ keys }] = parties
    const sum = (bytes: number) => {
      const payload = JSON.stringify({ ...body, shareSum: Buffer.alloc(bytes).toString('base64') })
      const envelope = signEnvelope(shareSumStatement.payloadType, Buffer.from(payload), keys.statementKey)
      return codeOf(readStatement(shareSumStatement, envelope, keys.statementKey.publicKey))
    }
    expect(sum(SHARE_BYTES)).toBe('accepted')
    expect(sum(SHARE_BYTES + 3)).toBe('malformed-statement')
    expect(sum(1_000_000)).toBe('malformed-statement')
  })
})

/** One share of the contribution is four characters short. */
function shorten(contribution: MadeContribution, party: Party): MadeContribution {
  const body = acceptedOf(parseStatement(contributionStatement, contribution.envelope))
  const shares = body.shares.map((share, i) => (i === 2 ? { ...share, sealed: share.sealed.slice(4) } : share))
  const envelope = signStatement(contributionStatement, { ...body, shares }, party.keys.statementKey)
  return { ...contribution, envelope }
}

attack({
  name: 'a share that cannot be one, by its size',
  by: 'contributor',
  wins: 'a round that ends for everybody: a member meets it after the seal',
  guard: 'it costs its contributor its place when it arrives',
  lines: [9, 14],
  off: async () => {
    const sealed = await sealRoundOf(scheme, parties)
    const body = acceptedOf(
      parseStatement(contributionStatement, shorten(sealed.contributions[0], parties[0]).envelope),
    )
    const { member, sealed: box } = body.shares[2]
    const { keys } = parties.find(({ member: { holder } }) => holder === member)!
    await expect(keys.boxKey.open(Buffer.from(box, 'base64'), new Uint8Array(0))).rejects.toMatchObject({
      code: 'box-not-openable',
    })
  },
  on: async () => {
    const short = shorten(made, parties[0])
    const received = receiveContribution(round, short.holder, short.envelope, short.payload, NOW)
    expect(codeOf(received)).toBe('shares-mismatch')
    const { round: other, contributions } = await sealRoundOf(scheme, parties)
    const set = [shorten(contributions[0], parties[0]), ...contributions.slice(1)]
    const certificate = endorseWith(forgeManifest(other, set), parties)
    expect(codeOf(await askToAnswer(other, certificate, set, parties[1]))).toBe('shares-mismatch')
  },
})
