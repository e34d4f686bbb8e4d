import { isDigest } from '../crypto/digest.ts'
import type { Envelope, EnvelopeSignature } from '../crypto/envelope.ts'
import { HASH_BYTES } from '../log/merkle-hash.ts'
import { NOTE_BYTES_MAX } from '../log/note.ts'
import { PROOF_HASHES_MAX } from '../log/verify-proof.ts'
import type { AddCheckpointRequest } from '../log/witness-wire.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import type { LoggedStatement, RangeEvidence } from '../protocol/round-log.ts'
import { refused, type Verdict } from '../sluice-error.ts'
import type { CheckSharesRequest__Output } from './generated/sluice/v1/CheckSharesRequest.ts'
import type { Envelope__Output, Envelope as ProtoEnvelope } from './generated/sluice/v1/Envelope.ts'
import type { LogCheckpoint__Output, LogCheckpoint as ProtoCheckpoint } from './generated/sluice/v1/LogCheckpoint.ts'
import type { LoggedStatement__Output, LoggedStatement as ProtoLogged } from './generated/sluice/v1/LoggedStatement.ts'
import type { LogRange__Output, LogRange as ProtoRange } from './generated/sluice/v1/LogRange.ts'
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

/** @param signaturesMax more than the protocol's for statements of the registry only */
export function envelopeFromWire(
  envelope: Envelope__Output | null | undefined,
  what: string,
  signaturesMax: number = limits.signatures,
): Envelope {
  if (!envelope) throw malformed(`${what} is missing`)
  // Each of them may cost a verification.
  if (envelope.signatures.length > signaturesMax) throw malformed(`${what} has too many signatures`)
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
      return {
        requestId,
        contribute: {
          plan: envelopeToWire(request.plan),
          checkpoint: checkpointToWire(request.checkpoint),
          range: rangeToWire(request.range),
          job: loggedToWire(request.job),
          publications: request.publications.map(loggedToWire),
          abandonments: request.abandonments.map(envelopeToWire),
        },
      }
    case 'cosign':
      return { requestId, cosign: { checkpoint: checkpointToWire(request.checkpoint) } }
    case 'check-shares':
      return { requestId, checkShares: candidatesToWire(request) }
    case 'explain-shares':
      return { requestId, explainShares: candidatesToWire(request) }
    case 'endorse': {
      const { planDigest, manifest, checkpoint, range } = request
      return {
        requestId,
        endorse: {
          planDigest,
          manifest: envelopeToWire(manifest),
          checkpoint: checkpointToWire(checkpoint),
          range: rangeToWire(range),
        },
      }
    }
    case 'answer':
      return { requestId, answer: { planDigest: request.planDigest, certificate: envelopeToWire(request.certificate) } }
    case 'hash-payload':
      return {
        requestId,
        hashPayload: {
          planDigest: request.planDigest,
          manifest: envelopeToWire(request.manifest),
          sum: request.sum,
        },
      }
    case 'abandon':
      return {
        requestId,
        abandon: { plan: envelopeToWire(request.plan), abandonment: envelopeToWire(request.abandonment) },
      }
    case 'published':
      return {
        requestId,
        published: { planDigest: request.planDigest, publication: envelopeToWire(request.publication) },
      }
    case 'admit':
      return { requestId, admit: { statement: envelopeToWire(request.statement) } }
  }
}

export function requestFromWire(message: Request__Output): HolderRequest {
  switch (message.request) {
    case 'contribute':
      return {
        kind: 'contribute',
        plan: envelopeFromWire(message.contribute?.plan, 'the plan'),
        checkpoint: checkpointFromWire(message.contribute?.checkpoint),
        range: rangeFromWire(message.contribute?.range),
        job: loggedFromWire(message.contribute?.job, 'the job'),
        publications: (message.contribute?.publications ?? []).map((each) => loggedFromWire(each, 'a publication')),
        abandonments: (message.contribute?.abandonments ?? []).map((each) => envelopeFromWire(each, 'an abandonment')),
      }
    case 'cosign':
      return { kind: 'cosign', checkpoint: checkpointFromWire(message.cosign?.checkpoint) }
    case 'checkShares':
      return { kind: 'check-shares', ...candidatesFromWire(message.checkShares) }
    case 'explainShares':
      return { kind: 'explain-shares', ...candidatesFromWire(message.explainShares) }
    case 'endorse':
      return {
        kind: 'endorse',
        planDigest: digestFromWire(message.endorse?.planDigest ?? '', 'the plan'),
        manifest: envelopeFromWire(message.endorse?.manifest, 'the manifest'),
        checkpoint: checkpointFromWire(message.endorse?.checkpoint),
        range: rangeFromWire(message.endorse?.range),
      }
    case 'answer':
      return {
        kind: 'answer',
        planDigest: digestFromWire(message.answer?.planDigest ?? '', 'the plan'),
        certificate: envelopeFromWire(message.answer?.certificate, 'the certificate'),
      }
    case 'hashPayload':
      return {
        kind: 'hash-payload',
        planDigest: digestFromWire(message.hashPayload?.planDigest ?? '', 'the plan'),
        manifest: envelopeFromWire(message.hashPayload?.manifest, 'the manifest'),
        sum: digestFromWire(message.hashPayload?.sum ?? '', 'the sum'),
      }
    case 'abandon':
      return {
        kind: 'abandon',
        plan: envelopeFromWire(message.abandon?.plan, 'the plan'),
        abandonment: envelopeFromWire(message.abandon?.abandonment, 'the abandonment'),
      }
    case 'published':
      return {
        kind: 'published',
        planDigest: digestFromWire(message.published?.planDigest ?? '', 'the plan'),
        publication: envelopeFromWire(message.published?.publication, 'the publication'),
      }
    case 'admit':
      return { kind: 'admit', statement: envelopeFromWire(message.admit?.statement, 'the registry statement') }
    default:
      throw malformed('a request of the coordinator is of no kind that this version knows')
  }
}

/** What members and contributors are asked on has one form. */
function candidatesToWire(request: Extract<HolderRequest, { kind: 'check-shares' | 'explain-shares' }>) {
  return {
    planDigest: request.planDigest,
    candidates: envelopeToWire(request.candidates),
    checkpoint: checkpointToWire(request.checkpoint),
    range: rangeToWire(request.range),
  }
}

function candidatesFromWire(request: CheckSharesRequest__Output | null | undefined) {
  return {
    planDigest: digestFromWire(request?.planDigest ?? '', 'the plan'),
    candidates: envelopeFromWire(request?.candidates, 'the candidates'),
    checkpoint: checkpointFromWire(request?.checkpoint),
    range: rangeFromWire(request?.range),
  }
}

function checkpointToWire({ note, oldSize, proof }: AddCheckpointRequest): ProtoCheckpoint {
  return { note, oldSize, proof: proof.map((hash) => Buffer.from(hash)) }
}

function checkpointFromWire(checkpoint: LogCheckpoint__Output | null | undefined): AddCheckpointRequest {
  if (!checkpoint) throw malformed('the checkpoint is missing')
  const { note, oldSize, proof } = checkpoint
  if (note.length > NOTE_BYTES_MAX) throw malformed('the checkpoint is too long')
  return { note, oldSize: indexFromWire(oldSize), proof: hashesFromWire(proof) }
}

function rangeToWire({ start, before, entries, payloads }: RangeEvidence): ProtoRange {
  const bytes = (list: readonly Uint8Array[]) => list.map((each) => Buffer.from(each))
  return { start, before: bytes(before), entries: bytes(entries), payloads: bytes(payloads) }
}

function rangeFromWire(range: LogRange__Output | null | undefined): RangeEvidence {
  if (!range) throw malformed('the part of the log is missing')
  const { start, before, entries, payloads } = range
  return {
    start: indexFromWire(start),
    before: hashesFromWire(before),
    entries: entries.map((entry) => new Uint8Array(entry)),
    payloads: payloads.map((payload) => new Uint8Array(payload)),
  }
}

function loggedToWire({ envelope, position, path }: LoggedStatement): ProtoLogged {
  return { statement: envelopeToWire(envelope), position, path: path.map((hash) => Buffer.from(hash)) }
}

function loggedFromWire(logged: LoggedStatement__Output | null | undefined, what: string): LoggedStatement {
  if (!logged) throw malformed(`${what} is missing`)
  return {
    envelope: envelopeFromWire(logged.statement, what),
    position: indexFromWire(logged.position),
    path: hashesFromWire(logged.path),
  }
}

/** A position or size in the log: a number of protobuf's double that counts. */
function indexFromWire(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw malformed('a position in the log is no whole number')
  return value
}

function hashesFromWire(hashes: readonly Buffer[]): Uint8Array[] {
  if (hashes.length > PROOF_HASHES_MAX || hashes.some(({ length }) => length !== HASH_BYTES)) {
    throw malformed('a proof is not of at most 63 hashes')
  }
  return hashes.map((hash) => new Uint8Array(hash))
}

export function replyToWire(requestId: string, verdict: Verdict<HolderReply, string>) {
  if (!verdict.ok) return { requestId, refusal: { code: verdict.code, reason: verdict.reason } }
  const reply = verdict.value
  switch (reply.kind) {
    case 'contribution':
      return { requestId, contribution: { contribution: envelopeToWire(reply.envelope) } }
    case 'cosignature':
      return { requestId, cosignature: reply.line }
    case 'share-check':
      return { requestId, shareCheck: envelopeToWire(reply.envelope) }
    case 'dealing':
      return { requestId, dealing: envelopeToWire(reply.envelope) }
    case 'endorsement':
      return { requestId, endorsement: { keyid: reply.signature.keyid, sig: reply.signature.sig } }
    case 'share-sum':
      return { requestId, shareSum: envelopeToWire(reply.envelope) }
    case 'payload-hash':
      return { requestId, payloadHash: envelopeToWire(reply.envelope) }
    case 'noted':
      return { requestId, noted: {} }
    case 'known-size':
      return { requestId, knownSize: reply.size }
  }
}

const REFUSAL_CHARACTERS_MAX = 500
/** A name of at most 255 characters and 76 bytes in base64. */
const COSIGNATURE_CHARACTERS_MAX = 512

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
    case 'payloadHash': {
      const envelope = envelopeFromWire(message.payloadHash, 'the payload hash')
      return { ok: true, value: { kind: 'payload-hash', envelope } }
    }
    case 'shareCheck':
      return {
        ok: true,
        value: { kind: 'share-check', envelope: envelopeFromWire(message.shareCheck, 'the share check') },
      }
    case 'dealing':
      return { ok: true, value: { kind: 'dealing', envelope: envelopeFromWire(message.dealing, 'the dealing') } }
    case 'cosignature': {
      const line = message.cosignature ?? ''
      if (line.length > COSIGNATURE_CHARACTERS_MAX) throw malformed('a cosignature is too long')
      return { ok: true, value: { kind: 'cosignature', line } }
    }
    case 'knownSize':
      return { ok: true, value: { kind: 'known-size', size: indexFromWire(message.knownSize ?? -1) } }
    case 'noted':
      return { ok: true, value: { kind: 'noted' } }
    case 'refusal':
      return refused(
        /^[a-z][a-z-]{0,63}$/.test(message.refusal?.code ?? '') ? message.refusal!.code : 'refused',
        // Ends on the terminals of operators and researchers: no control sequences, no lines of its own.
        (message.refusal?.reason || 'It gives no reason.').slice(0, REFUSAL_CHARACTERS_MAX).replace(/\p{C}+/gu, ' '),
      )
    default:
      throw malformed('a reply is of no kind that this version knows')
  }
}

function malformed(what: string): WireError {
  return new WireError('malformed-message', `Malformed message: ${what}.`)
}
