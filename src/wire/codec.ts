import { isDigest } from '../crypto/digest.ts'
import type { Envelope, EnvelopeSignature } from '../crypto/envelope.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import { refused, type Verdict } from '../sluice-error.ts'
import type { Envelope__Output, Envelope as ProtoEnvelope } from './generated/sluice/v1/Envelope.ts'
import type { Reply__Output } from './generated/sluice/v1/Reply.ts'
import type { Request as ProtoRequest, Request__Output } from './generated/sluice/v1/Request.ts'
import type { Signature__Output } from './generated/sluice/v1/Signature.ts'
import { limits } from './limits.ts'
import { WireError } from './wire-error.ts'

/** proto ↔ the types of the protocol. Whatever is missing or of another form is `malformed-message`, by name. */

export function envelopeToWire(envelope: Envelope): ProtoEnvelope {
  return {
    payload: envelope.payload,
    payloadType: envelope.payloadType,
    signatures: envelope.signatures.map(({ keyid, sig }) => ({ keyid, sig })),
  }
}

export function envelopeFromWire(envelope: Envelope__Output | null | undefined, what: string): Envelope {
  if (!envelope) throw malformed(`${what} is missing`)
  // Each of them may cost a verification.
  if (envelope.signatures.length > limits.signatures) throw malformed(`${what} has too many signatures`)
  return {
    payload: new Uint8Array(envelope.payload),
    payloadType: envelope.payloadType,
    signatures: envelope.signatures.map((signature) => signatureFromWire(signature, what)),
  }
}

export function signatureFromWire(signature: Signature__Output | null | undefined, what: string): EnvelopeSignature {
  if (!signature) throw malformed(`the signature of ${what} is missing`)
  return { keyid: signature.keyid, sig: new Uint8Array(signature.sig) }
}

export function digestFromWire(text: string, what: string): string {
  if (!isDigest(text)) throw malformed(`${what} is not a digest`)
  return text
}

export function requestToWire(requestId: string, request: HolderRequest): ProtoRequest {
  switch (request.kind) {
    case 'contribute':
      return { requestId, contribute: { plan: envelopeToWire(request.plan), job: envelopeToWire(request.job) } }
    case 'endorse':
      return { requestId, endorse: { planDigest: request.planDigest, manifest: envelopeToWire(request.manifest) } }
    case 'answer':
      return { requestId, answer: { planDigest: request.planDigest, certificate: envelopeToWire(request.certificate) } }
    case 'published':
      return {
        requestId,
        published: { planDigest: request.planDigest, publication: envelopeToWire(request.publication) },
      }
  }
}

export function requestFromWire(message: Request__Output): HolderRequest {
  switch (message.request) {
    case 'contribute':
      return {
        kind: 'contribute',
        plan: envelopeFromWire(message.contribute?.plan, 'the plan'),
        job: envelopeFromWire(message.contribute?.job, 'the job'),
      }
    case 'endorse':
      return {
        kind: 'endorse',
        planDigest: digestFromWire(message.endorse?.planDigest ?? '', 'the plan'),
        manifest: envelopeFromWire(message.endorse?.manifest, 'the manifest'),
      }
    case 'answer':
      return {
        kind: 'answer',
        planDigest: digestFromWire(message.answer?.planDigest ?? '', 'the plan'),
        certificate: envelopeFromWire(message.answer?.certificate, 'the certificate'),
      }
    case 'published':
      return {
        kind: 'published',
        planDigest: digestFromWire(message.published?.planDigest ?? '', 'the plan'),
        publication: envelopeFromWire(message.published?.publication, 'the publication'),
      }
    default:
      throw malformed('a request of the coordinator is of no kind that this version knows')
  }
}

export function replyToWire(requestId: string, verdict: Verdict<HolderReply, string>) {
  if (!verdict.ok) return { requestId, refusal: { code: verdict.code, reason: verdict.reason } }
  const reply = verdict.value
  switch (reply.kind) {
    case 'contribution':
      return { requestId, contribution: { contribution: envelopeToWire(reply.envelope) } }
    case 'endorsement':
      return { requestId, endorsement: { keyid: reply.signature.keyid, sig: reply.signature.sig } }
    case 'share-sum':
      return { requestId, shareSum: envelopeToWire(reply.envelope) }
    case 'noted':
      return { requestId, noted: {} }
  }
}

const REFUSAL_CHARACTERS_MAX = 500

export function replyFromWire(message: Reply__Output): Verdict<HolderReply, string> {
  switch (message.reply) {
    case 'contribution': {
      const envelope = envelopeFromWire(message.contribution?.contribution, 'the contribution')
      // The committee reads none that is larger: sealed all the same, it would cost everybody the round.
      if (envelope.payload.length > limits.contributionBytes) {
        return refused('statement-too-large', `A contribution statement has at most ${limits.contributionBytes} bytes.`)
      }
      return { ok: true, value: { kind: 'contribution', envelope } }
    }
    case 'endorsement': {
      const signature = signatureFromWire(message.endorsement, 'the manifest')
      return { ok: true, value: { kind: 'endorsement', signature } }
    }
    case 'shareSum':
      return { ok: true, value: { kind: 'share-sum', envelope: envelopeFromWire(message.shareSum, 'the share sum') } }
    case 'noted':
      return { ok: true, value: { kind: 'noted' } }
    case 'refusal':
      return refused(
        /^[a-z][a-z-]{0,63}$/.test(message.refusal?.code ?? '') ? message.refusal!.code : 'refused',
        // Ends on the terminals of operators and researchers: no control sequences, no lines of its own.
        (message.refusal?.reason ?? '').slice(0, REFUSAL_CHARACTERS_MAX).replace(/\p{C}+/gu, ' '),
      )
    default:
      throw malformed('a reply is of no kind that this version knows')
  }
}

function malformed(what: string): WireError {
  return new WireError('malformed-message', `Malformed message: ${what}.`)
}
