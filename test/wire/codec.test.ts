/** What comes over the wire becomes a value of the protocol, or a named refusal. */
import { describe, expect, it } from 'vitest'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { envelopeFromWire, replyFromWire, replyToWire, requestFromWire, requestToWire } from '../../src/wire/codec.ts'
import { CoordinatorContract } from '../../src/wire/contract.ts'
import type { CoordinatorMessage__Output } from '../../src/wire/generated/sluice/v1/CoordinatorMessage.ts'
import type { HolderMessage, HolderMessage__Output } from '../../src/wire/generated/sluice/v1/HolderMessage.ts'
import type { Reply } from '../../src/wire/generated/sluice/v1/Reply.ts'
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

describe('the codec', () => {
  it('gives every request back as it was asked', () => {
    const requests: HolderRequest[] = [
      { kind: 'contribute', plan: envelope, job: envelope },
      { kind: 'endorse', planDigest, manifest: envelope },
      { kind: 'answer', planDigest, certificate: envelope },
      { kind: 'published', planDigest, publication: envelope },
    ]
    for (const request of requests) {
      const bytes = Attend.responseSerialize({ request: requestToWire('id', request) })
      const message = Attend.responseDeserialize(bytes) as CoordinatorMessage__Output
      expect(message.request!.requestId).toBe('id')
      expect(requestFromWire(message.request!)).toEqual(request)
    }
  })

  it('gives every reply back as it was given', () => {
    const verdicts: Verdict<HolderReply, string>[] = [
      accepted({ kind: 'contribution', envelope }),
      accepted({ kind: 'endorsement', signature }),
      accepted({ kind: 'share-sum', envelope }),
      accepted({ kind: 'noted' }),
      refused('dataset-not-offered', 'This holder offers no dataset heart.'),
    ]
    for (const verdict of verdicts) expect(replyFromWire(arrived(replyToWire('id', verdict)))).toEqual(verdict)
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
