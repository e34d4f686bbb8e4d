import { Server, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import type { Envelope } from '../crypto/envelope.ts'
import type { Verdict } from '../sluice-error.ts'
import { envelopeFromWire } from './codec.ts'
import { EnrolmentContract } from './contract.ts'
import { checkOwnCertificate, enrolmentServerCredentials, type TlsMaterial } from './credentials.ts'
import type { EnrolRequest__Output } from './generated/sluice/v1/EnrolRequest.ts'
import type { EnrolResponse } from './generated/sluice/v1/EnrolResponse.ts'
import { limits, PROTOCOL_VERSION } from './limits.ts'
import type { IssuedCertificate } from './peer.ts'
import { bindServer, type RunningServer, stopServer } from './server.ts'
import { type FaultListener, toStatus } from './status.ts'
import { WireError, type WireErrorCode } from './wire-error.ts'

/** What an invited party sends. */
export interface Enrolment {
  /** Of its invite; 32 bytes. Secret until it is used. */
  readonly secret: Uint8Array
  /** PKCS #10, DER. */
  readonly signingRequest: Uint8Array
  /** A data holder's own statement of its keys, signed with them; absent for a researcher. */
  readonly application?: Envelope
}

export type EnrolmentRefusal = Extract<
  WireErrorCode,
  'invite-unknown' | 'invite-expired' | 'invite-used' | 'enrolment-refused'
>

/**
 * Takes in invited parties. *Idempotency*: the same enrolment again gets the same certificate. *Durability*: when it
 * resolves, the invite is used up and the application filed. *Concurrency*: of two enrolments with one secret one counts.
 */
export interface EnrolmentDesk {
  enrol(enrolment: Enrolment): Promise<Verdict<IssuedCertificate, EnrolmentRefusal>>
}

/**
 * Listens for invited parties: server TLS only, since nobody who comes has a certificate yet. A secret of 256 bits is not
 * guessed, so that there is no limit on attempts, only on their size.
 * @param listen `host:port`; port 0 takes a free one.
 * @throws WireError `address-invalid`, `port-in-use`, and the codes of {@link checkOwnCertificate}.
 */
export async function startEnrolmentServer(
  listen: string,
  tls: TlsMaterial,
  desk: EnrolmentDesk,
  onFault?: FaultListener,
): Promise<RunningServer> {
  checkOwnCertificate(tls, new Date())
  const server = new Server({
    'grpc.max_receive_message_length': limits.enrolmentBytes,
    'grpc.max_concurrent_streams': limits.enrolmentsPerConnection,
  })
  server.addService(EnrolmentContract.service, {
    Enrol: (call: EnrolCall, respond: sendUnaryData<EnrolResponse>) => void enrol(call, respond, desk, onFault),
  })
  const port = await bindServer(server, listen, enrolmentServerCredentials(tls))
  return { port, stop: () => stopServer(server) }
}

type EnrolCall = ServerUnaryCall<EnrolRequest__Output, EnrolResponse>

async function enrol(
  call: EnrolCall,
  respond: sendUnaryData<EnrolResponse>,
  desk: EnrolmentDesk,
  onFault?: FaultListener,
): Promise<void> {
  try {
    const verdict = await desk.enrol(enrolmentFromWire(call.request))
    if (!verdict.ok) throw new WireError(verdict.code, verdict.reason)
    respond(null, { certificate: verdict.value })
  } catch (error) {
    respond(toStatus(error, onFault))
  }
}

function enrolmentFromWire({ protocolVersion, secret, signingRequest, application }: EnrolRequest__Output): Enrolment {
  if (protocolVersion !== PROTOCOL_VERSION) {
    throw new WireError(
      'protocol-version',
      `This coordinator speaks protocol ${PROTOCOL_VERSION}, the caller ${protocolVersion.slice(0, 20)}: update the older of the two.`,
    )
  }
  if (secret.length !== 32) throw new WireError('malformed-message', 'The secret of an invite has 32 bytes.')
  if (signingRequest.length > limits.signingRequestBytes) {
    throw new WireError('message-too-large', `A signing request has at most ${limits.signingRequestBytes} bytes.`)
  }
  return {
    secret: new Uint8Array(secret),
    signingRequest: new Uint8Array(signingRequest),
    ...(application ? { application: envelopeFromWire(application, 'the application') } : {}),
  }
}
