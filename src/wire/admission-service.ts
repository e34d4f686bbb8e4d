import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import type { Envelope } from '../crypto/envelope.ts'
import { envelopeToWire } from './codec.ts'
import type { Envelope as ProtoEnvelope } from './generated/sluice/v1/Envelope.ts'
import type { FetchRegistryRequest__Output } from './generated/sluice/v1/FetchRegistryRequest.ts'
import type { IssuedCertificate } from './generated/sluice/v1/IssuedCertificate.ts'
import type { RenewCertificateRequest__Output } from './generated/sluice/v1/RenewCertificateRequest.ts'
import { limits } from './limits.ts'
import { type Call, type CertificateDesk, type MemberLookup, requireMember, requireRole } from './peer.ts'
import { type FaultListener, toStatus } from './status.ts'
import { writeAll } from './streams.ts'
import { WireError } from './wire-error.ts'

/** What stands behind the calls about membership, beside the rounds. */
export interface AdmissionServiceParts {
  readonly venue: string
  readonly members: MemberLookup
  readonly certificates: CertificateDesk
  readonly registry: RegistrySource
  readonly onFault?: FaultListener
}

/** The venue's registry statements, in order. */
export interface RegistrySource {
  /** Those with a number over `sequence`, a page at most; none when there are no more. */
  statementsAfter(sequence: number): Promise<readonly Envelope[]>
}

/**
 * A new certificate for the identity that the caller's present one names, and no other. Whoever is no member any more gets
 * none; one that waits for the members' signatures does, or it would have to be invited again.
 */
export async function renewCertificate(
  call: ServerUnaryCall<RenewCertificateRequest__Output, IssuedCertificate>,
  respond: sendUnaryData<IssuedCertificate>,
  parts: AdmissionServiceParts,
): Promise<void> {
  try {
    const identity = requireRole(call, parts.venue, ['holder', 'researcher'], parts.certificates)
    if (identity.role === 'holder') requireMemberOrApplicant(call, parts)
    if (call.request.signingRequest.length > limits.signingRequestBytes) {
      throw new WireError('message-too-large', `A signing request has at most ${limits.signingRequestBytes} bytes.`)
    }
    const issued = await parts.certificates.issue(identity, new Uint8Array(call.request.signingRequest))
    // Revoked while this one was made: it does not leave.
    requireRole(call, parts.venue, [identity.role], parts.certificates)
    respond(null, issued)
  } catch (error) {
    respond(toStatus(error, parts.onFault))
  }
}

/** A page of the registry, for its members and for those that wait to be: they see whom they join. */
export async function fetchRegistry(
  call: ServerWritableStream<FetchRegistryRequest__Output, ProtoEnvelope>,
  parts: AdmissionServiceParts,
): Promise<void> {
  try {
    requireMemberOrApplicant(call, parts)
    const page = await parts.registry.statementsAfter(call.request.afterSequence)
    await writeAll(call, page.map(envelopeToWire))
  } catch (error) {
    call.emit('error', toStatus(error, parts.onFault))
  }
}

function requireMemberOrApplicant(call: Call, { venue, members, certificates }: AdmissionServiceParts): void {
  const { name } = requireRole(call, venue, ['holder'], certificates)
  if (!members.isPending(name)) requireMember(call, venue, members, certificates)
}
