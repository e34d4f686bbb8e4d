import type { Envelope } from '../crypto/envelope.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import type { LoggedStatement } from '../protocol/round-log.ts'

/*
 * What a message would weigh on a wire: the bytes of its texts, keys, hashes and payloads, without the framing of an encoding
 * (a few bytes a field).
 */

/** Numbers, booleans and enumerations, as most encodings write them. */
const SMALL_FIELD_BYTES = 4

/** Bytes of a request, a reply or a statement, by what it holds. */
export function messageBytes(message: HolderRequest | HolderReply | Envelope): number {
  return contentBytes(message)
}

function contentBytes(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (value instanceof Uint8Array) return value.length
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + contentBytes(each), 0)
  if (typeof value !== 'object' || value === null) return SMALL_FIELD_BYTES
  return Object.values(value).reduce<number>((sum, each) => sum + contentBytes(each), 0)
}

/**
 * A request as it arrives: with envelopes of its own. A role that verified an envelope remembers that by the object, and in a
 * federation no two roles share one; here each pays for its own verification, too.
 */
export function deliver(request: HolderRequest): HolderRequest {
  switch (request.kind) {
    case 'contribute':
      return {
        ...request,
        plan: copyOf(request.plan),
        job: deliverLogged(request.job),
        publications: request.publications.map(deliverLogged),
        abandonments: request.abandonments.map(copyOf),
      }
    case 'check-shares':
    case 'explain-shares':
      return { ...request, candidates: copyOf(request.candidates) }
    case 'endorse':
    case 'hash-payload':
      return { ...request, manifest: copyOf(request.manifest) }
    case 'answer':
      return { ...request, certificate: copyOf(request.certificate) }
    case 'abandon':
      return { ...request, plan: copyOf(request.plan), abandonment: copyOf(request.abandonment) }
    case 'published':
      return { ...request, publication: copyOf(request.publication) }
    default:
      return request
  }
}

function deliverLogged(logged: LoggedStatement): LoggedStatement {
  return { ...logged, envelope: copyOf(logged.envelope) }
}

/** Another object of the same bytes. */
export function copyOf(envelope: Envelope): Envelope {
  return { ...envelope }
}
