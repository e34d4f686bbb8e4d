/** What comes over the wire becomes a value of the protocol, or a named refusal. */
import fc, { type Arbitrary } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NOTE_BYTES_MAX } from '../../src/log/note.ts'
import { PROOF_HASHES_MAX } from '../../src/log/verify-proof.ts'
import type { AddCheckpointRequest } from '../../src/log/witness-wire.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import type { LoggedStatement, RangeEvidence } from '../../src/protocol/round-log.ts'
import { accepted, refused } from '../../src/sluice-error.ts'
import { envelopeFromWire, replyFromWire, replyToWire, requestFromWire, requestToWire } from '../../src/wire/codec.ts'
import { CoordinatorContract } from '../../src/wire/contract.ts'
import type { CoordinatorMessage__Output } from '../../src/wire/generated/sluice/v1/CoordinatorMessage.ts'
import type { HolderMessage, HolderMessage__Output } from '../../src/wire/generated/sluice/v1/HolderMessage.ts'
import type { Reply, Reply__Output } from '../../src/wire/generated/sluice/v1/Reply.ts'
import type { Request } from '../../src/wire/generated/sluice/v1/Request.ts'
import { limits } from '../../src/wire/limits.ts'

const { Attend } = CoordinatorContract.service
const planDigest = 'a'.repeat(64)
const signature = { keyid: 'b'.repeat(64), sig: new Uint8Array(64).fill(7) }
const envelope = { payloadType: 'x', payload: new Uint8Array([1, 2, 3]), signatures: [signature] }

/** A reply as it arrives: through the bytes of the contract. */
function arrived(reply: Reply) {
  const bytes = Attend.requestSerialize({ reply } as HolderMessage)
  return (Attend.requestDeserialize(bytes) as HolderMessage__Output).reply!
}

/** A request as it arrives. */
function arrivedRequest(request: Request) {
  const bytes = Attend.responseSerialize({ request })
  return (Attend.responseDeserialize(bytes) as CoordinatorMessage__Output).request!
}

const bytes = fc.uint8Array({ maxLength: 80 })
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
const hashes = fc.array(hash, { maxLength: 8 })
const index = fc.maxSafeNat()
const digest = hash.map((each) => Buffer.from(each).toString('hex'))
const signatures = fc.record({ keyid: digest, sig: bytes })
const envelopes = fc.record({
  payloadType: fc.string({ unit: 'grapheme', maxLength: 40 }),
  payload: bytes,
  signatures: fc.array(signatures, { maxLength: limits.signatures }),
})
const checkpoint: Arbitrary<AddCheckpointRequest> = fc.record({
  note: fc.string({ unit: 'grapheme', maxLength: 200 }),
  oldSize: index,
  proof: hashes,
})
const range: Arbitrary<RangeEvidence> = fc.record({
  start: index,
  before: hashes,
  entries: fc.array(bytes, { maxLength: 6 }),
  payloads: fc.array(bytes, { maxLength: 3 }),
})
const logged: Arbitrary<LoggedStatement> = fc.record({ envelope: envelopes, position: index, path: hashes })
const evidence = { planDigest: digest, checkpoint, range }

/** One of each kind: a kind that is not here does not compile. */
const requests: { readonly [Kind in HolderRequest['kind']]: Arbitrary<Extract<HolderRequest, { kind: Kind }>> } = {
  contribute: fc.record({
    kind: fc.constant('contribute'),
    plan: envelopes,
    checkpoint,
    range,
    job: logged,
    publications: fc.array(logged, { maxLength: 3 }),
    abandonments: fc.array(envelopes, { maxLength: 3 }),
  }),
  cosign: fc.record({ kind: fc.constant('cosign'), checkpoint }),
  'check-shares': fc.record({ kind: fc.constant('check-shares'), candidates: envelopes, ...evidence }),
  'explain-shares': fc.record({ kind: fc.constant('explain-shares'), candidates: envelopes, ...evidence }),
  endorse: fc.record({ kind: fc.constant('endorse'), manifest: envelopes, ...evidence }),
  answer: fc.record({ kind: fc.constant('answer'), planDigest: digest, certificate: envelopes }),
  'hash-payload': fc.record({
    kind: fc.constant('hash-payload'),
    planDigest: digest,
    manifest: envelopes,
    sum: digest,
  }),
  abandon: fc.record({ kind: fc.constant('abandon'), plan: envelopes, abandonment: envelopes }),
  published: fc.record({ kind: fc.constant('published'), planDigest: digest, publication: envelopes }),
  admit: fc.record({ kind: fc.constant('admit'), statement: envelopes }),
}

const replies: { readonly [Kind in HolderReply['kind']]: Arbitrary<Extract<HolderReply, { kind: Kind }>> } = {
  contribution: fc.record({ kind: fc.constant('contribution'), envelope: envelopes }),
  cosignature: fc.record({ kind: fc.constant('cosignature'), line: fc.string({ unit: 'grapheme', maxLength: 100 }) }),
  'share-check': fc.record({ kind: fc.constant('share-check'), envelope: envelopes }),
  dealing: fc.record({ kind: fc.constant('dealing'), envelope: envelopes }),
  endorsement: fc.record({ kind: fc.constant('endorsement'), signature: signatures }),
  'share-sum': fc.record({ kind: fc.constant('share-sum'), envelope: envelopes }),
  'payload-hash': fc.record({ kind: fc.constant('payload-hash'), envelope: envelopes }),
  noted: fc.record({ kind: fc.constant('noted') }),
  'known-size': fc.record({ kind: fc.constant('known-size'), size: index }),
}

describe('the codec', () => {
  it.each(Object.entries(requests))('gives every request to %s back as it was asked', (_, some) => {
    fc.assert(
      fc.property(some as Arbitrary<HolderRequest>, (request) => {
        const message = arrivedRequest(requestToWire('id', request))
        expect(message.requestId).toBe('id')
        expect(requestFromWire(message)).toEqual(request)
      }),
      { numRuns: 40 },
    )
  })

  it.each(Object.entries(replies))('gives every reply of a %s back as it was given', (_, some) => {
    fc.assert(
      fc.property(some as Arbitrary<HolderReply>, (reply) => {
        expect(replyFromWire(arrived(replyToWire('id', accepted(reply))))).toEqual(accepted(reply))
      }),
      { numRuns: 40 },
    )
  })

  it('gives every refusal back as it was given', () => {
    const verdict = refused('dataset-not-offered', 'This holder offers no dataset heart.')
    expect(replyFromWire(arrived(replyToWire('id', verdict)))).toEqual(verdict)
  })

  const note = { note: 'a note', oldSize: 1, proof: [] }
  const part = { start: 0, before: [], entries: [], payloads: [] }
  const statement = { statement: envelope, position: 1, path: [] }
  const contribute = { plan: envelope, checkpoint: note, range: part, job: statement }
  const shown = { planDigest, checkpoint: note, range: part }
  const long = [Buffer.alloc(31)]
  const many = Array(PROOF_HASHES_MAX + 1).fill(Buffer.alloc(32))

  it.each<[string, object, string]>([
    ['a contribution without a plan', { contribute: { ...contribute, plan: undefined } }, 'the plan is missing'],
    ['one without a checkpoint', { contribute: { ...contribute, checkpoint: undefined } }, 'the checkpoint is missing'],
    [
      'one without a part of the log',
      { contribute: { ...contribute, range: undefined } },
      'part of the log is missing',
    ],
    ['one without a job', { contribute: { ...contribute, job: undefined } }, 'the job is missing'],
    ['one whose job is a place alone', { contribute: { ...contribute, job: { position: 1 } } }, 'the job is missing'],
    [
      'one whose publication is empty',
      { contribute: { ...contribute, publications: [{}] } },
      'a publication is missing',
    ],
    ['a cosignature of nothing', { cosign: {} }, 'the checkpoint is missing'],
    [
      'a note of more than a note has',
      { cosign: { checkpoint: { ...note, note: 'x'.repeat(NOTE_BYTES_MAX + 1) } } },
      'the checkpoint is too long',
    ],
    ['an old size below none', { cosign: { checkpoint: { ...note, oldSize: -1 } } }, 'no whole number'],
    ['an old size between two', { cosign: { checkpoint: { ...note, oldSize: 0.5 } } }, 'no whole number'],
    ['an old size beyond counting', { cosign: { checkpoint: { ...note, oldSize: 2 ** 53 } } }, 'no whole number'],
    ['an old size that is none', { cosign: { checkpoint: { ...note, oldSize: Number.NaN } } }, 'no whole number'],
    ['a hash that is none in a proof', { cosign: { checkpoint: { ...note, proof: long } } }, 'at most 63 hashes'],
    ['a proof longer than any tree', { cosign: { checkpoint: { ...note, proof: many } } }, 'at most 63 hashes'],
    [
      'a range from nowhere',
      { endorse: { ...shown, manifest: envelope, range: { ...part, start: Number.POSITIVE_INFINITY } } },
      'no whole number',
    ],
    [
      'a range after roots that are none',
      { endorse: { ...shown, manifest: envelope, range: { ...part, before: long } } },
      'at most 63 hashes',
    ],
    ['a path of too many', { contribute: { ...contribute, job: { ...statement, path: many } } }, 'at most 63 hashes'],
    ['a check of no candidates', { checkShares: shown }, 'the candidates is missing'],
    [
      'a check of no plan',
      { checkShares: { ...shown, planDigest: '', candidates: envelope } },
      'the plan is not a digest',
    ],
    ['an explanation of no candidates', { explainShares: shown }, 'the candidates is missing'],
    [
      'an explanation without the log',
      { explainShares: { planDigest, candidates: envelope } },
      'checkpoint is missing',
    ],
    ['an endorsement of nothing', { endorse: shown }, 'the manifest is missing'],
    [
      'one of no plan',
      { endorse: { ...shown, planDigest: 'A'.repeat(64), manifest: envelope } },
      'the plan is not a digest',
    ],
    ['an answer to nothing', { answer: { planDigest } }, 'the certificate is missing'],
    ['a hash of nothing', { hashPayload: { planDigest } }, 'the manifest is missing'],
    ['a hash of no plan', { hashPayload: { manifest: envelope } }, 'the plan is not a digest'],
    ['a hash of no sum', { hashPayload: { planDigest, manifest: envelope } }, 'the sum is not a digest'],
    ['an abandonment of nothing', { abandon: { abandonment: envelope } }, 'the plan is missing'],
    ['nothing for a plan', { abandon: { plan: envelope } }, 'the abandonment is missing'],
    ['a publication of nothing', { published: { planDigest } }, 'the publication is missing'],
    ['an admission of nobody', { admit: {} }, 'the registry statement is missing'],
    ['a request of no kind', {}, 'of no kind'],
  ])('names what is wrong with %s', (_, request, what) => {
    const message = arrivedRequest({ requestId: 'id', ...request } as Request)
    expect(() => requestFromWire(message)).toThrow(
      expect.objectContaining({ code: 'malformed-message', message: expect.stringContaining(what) }),
    )
  })

  it.each<[string, object, string]>([
    ['a share check that is none', { shareCheck: undefined, reply: 'shareCheck' }, 'the share check is missing'],
    ['a dealing that is none', { dealing: undefined, reply: 'dealing' }, 'the dealing is missing'],
    ['a share sum that is none', { shareSum: undefined, reply: 'shareSum' }, 'the share sum is missing'],
    ['a payload hash that is none', { payloadHash: undefined, reply: 'payloadHash' }, 'the payload hash is missing'],
    ['a cosignature of more than a line', { cosignature: 'x'.repeat(513) }, 'a cosignature is too long'],
    ['a known size below none', { knownSize: -1 }, 'no whole number'],
    ['a known size between two', { knownSize: 1.5 }, 'no whole number'],
    ['a known size beyond counting', { knownSize: 1e300 }, 'no whole number'],
    ['a contribution of nothing', { contribution: {} }, 'the contribution is missing'],
  ])('names what is wrong with %s', (_, reply, what) => {
    const message =
      'reply' in reply ? ({ requestId: 'id', ...reply } as Reply__Output) : arrived({ requestId: 'id', ...reply })
    expect(() => replyFromWire(message)).toThrow(
      expect.objectContaining({ code: 'malformed-message', message: expect.stringContaining(what) }),
    )
  })

  it('names what is missing or of no kind that it knows', () => {
    const malformed = expect.objectContaining({ code: 'malformed-message' })
    expect(() => replyFromWire(arrived({ requestId: 'id' }))).toThrow(malformed)
    expect(() => replyFromWire(arrived({ requestId: 'id', contribution: {} }))).toThrow(malformed)
    const noPlan = Attend.responseSerialize({ request: { requestId: 'id', endorse: { manifest: envelope } } })
    const { request } = Attend.responseDeserialize(noPlan) as CoordinatorMessage__Output
    expect(() => requestFromWire(request!)).toThrow(malformed)
  })

  it('refuses a contribution that no committee member would read, instead of sealing it for all', () => {
    const sized = (bytes: number) =>
      arrived({ requestId: 'id', contribution: { contribution: { ...envelope, payload: Buffer.alloc(bytes) } } })
    expect(replyFromWire(sized(limits.contributionBytes)).ok).toBe(true)
    expect(replyFromWire(sized(limits.contributionBytes + 1))).toMatchObject({ ok: false, code: 'statement-too-large' })
  })

  it('refuses an envelope with more signatures than a certificate has: each may cost a verification', () => {
    const signed = (count: number) => ({
      ...envelope,
      payload: Buffer.alloc(1),
      signatures: Array(count).fill({ ...signature, sig: Buffer.alloc(64) }),
    })
    expect(envelopeFromWire(signed(limits.signatures), 'it').signatures).toHaveLength(limits.signatures)
    expect(() => envelopeFromWire(signed(limits.signatures + 1), 'it')).toThrow(
      expect.objectContaining({ code: 'malformed-message' }),
    )
  })

  it('lets no refusal write more than a line, or with control characters, on the terminal of who reads it', () => {
    const reason = `no\u001b[2J\r\nround 9 published over 4 holders\u0000\u202e${'x'.repeat(9000)}`
    const verdict = replyFromWire(arrived({ requestId: 'id', refusal: { code: 'Not A Code', reason } }))
    if (verdict.ok) throw new Error('expected a refusal')
    expect(verdict.code).toBe('refused')
    expect(verdict.reason).toMatch(/^no \[2J round 9 published over 4 holders x+$/)
    expect(verdict.reason.length).toBeLessThanOrEqual(500)
  })
})
