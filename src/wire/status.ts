import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js'
import { SluiceError } from '../sluice-error.ts'
import { WireError, type WireErrorCode } from './wire-error.ts'

/** Takes what a call stumbled over and the peer is not told, for the process's log. */
export type FaultListener = (error: unknown) => void

/** Named errors that are this side's own: their messages speak of its disks and databases. */
const OWN_FAULTS = new Set([
  'blobs-refused',
  'blobs-unreachable',
  'corrupt',
  'database-failed',
  'database-unreachable',
  'directory-unusable',
  'disk-full',
  'io-failed',
  'store-closed',
])

const PERMISSION_DENIED = new Set([
  'not-admitted',
  'invite-unknown',
  'invite-expired',
  'invite-used',
  'enrolment-refused',
])

/**
 * The one place where codes become gRPC statuses. The details are `<code>: <message>`, so that the peer shows the same
 * named error. Of a fault of ours the peer learns the code only (`remote-failure` when it is not a {@link SluiceError}); the
 * log learns all.
 */
export function toStatus(error: unknown, onFault?: FaultListener): Partial<StatusObject> {
  const code = error instanceof SluiceError ? error.code : 'remote-failure'
  const isOurs = !(error instanceof SluiceError) || OWN_FAULTS.has(code)
  if (isOurs) onFault?.(error)
  const message = isOurs ? 'The coordinator failed; its log says how.' : (error as SluiceError).message
  return { code: statusOf(code), details: `${code}: ${message}`, metadata: new Metadata() }
}

/** Over a limit: of one message, of one identity, of this machine. */
const RESOURCE_EXHAUSTED = new Set([
  'message-too-large',
  'disk-full',
  'too-many-certificates',
  'too-many-calls',
  'too-many-uploads',
  'upload-allowance-used',
])

const UNAVAILABLE = new Set([
  'connection-lost',
  'transfer-idle',
  'database-unreachable',
  'blobs-unreachable',
  'admission-pending',
])

function statusOf(code: string): status {
  if (code.endsWith('not-found')) return status.NOT_FOUND
  if (PERMISSION_DENIED.has(code)) return status.PERMISSION_DENIED
  if (RESOURCE_EXHAUSTED.has(code)) return status.RESOURCE_EXHAUSTED
  if (UNAVAILABLE.has(code)) return status.UNAVAILABLE
  if (code === 'remote-failure' || OWN_FAULTS.has(code)) return status.INTERNAL
  if (code === 'conflict' || code === 'upload-refused' || code === 'protocol-version') return status.FAILED_PRECONDITION
  return status.INVALID_ARGUMENT
}

/** The named error behind a failed call, as a client shows it. */
export function fromServiceError(error: unknown, address: string): WireError {
  if (error instanceof WireError) return error
  const { code, details = '' } = error as Partial<ServiceError>
  // First: a coordinator that answers "my database is unreachable" is not unreachable itself.
  const named = /^([a-z][a-z-]{2,40}): (.*)$/s.exec(details)
  if (named) return new WireError(named[1] as WireErrorCode, named[2], { cause: error })
  if (code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED) return unreachable(details, address, error)
  if (isCut(code, details)) return new WireError('connection-lost', `The line to ${address} was cut.`, { cause: error })
  if (code === status.RESOURCE_EXHAUSTED) return new WireError('message-too-large', details, { cause: error })
  return new WireError('remote-failure', `The call to ${address} failed: ${details || error}`, { cause: error })
}

/** What HTTP/2 says of a stream whose connection went away, or whose peer was stopped; no status of the peer's came. */
function isCut(code: status | undefined, details: string): boolean {
  const isReset = code === status.INTERNAL && /RST_STREAM/.test(details)
  return isReset || (code === status.CANCELLED && details === 'Call cancelled')
}

/**
 * Only what speaks of certificates (a reason of OpenSSL's, a TLS alert) is `credential-invalid`, which a holder does not
 * wait out. The coordinator's own certificate comes with a new start of it, so that a holder does wait. A connection cut
 * during the handshake is a coordinator that restarts, or a load balancer without one.
 */
function unreachable(details: string, address: string, cause: unknown): WireError {
  if (/is not the coordinator of/.test(details)) return new WireError('wrong-peer', details, { cause })
  if (/certificate (has expired|is not yet valid)/i.test(details)) {
    return new WireError(
      'coordinator-certificate-expired',
      `The certificate of the coordinator at ${address} has expired, or the clocks differ: it takes a new one when it starts again.`,
      { cause },
    )
  }
  if (/certificate|alert/i.test(details)) {
    return new WireError(
      'credential-invalid',
      `${address} and this side do not accept each other's certificates (${details}): check that both come from one venue and have not expired.`,
      { cause },
    )
  }
  return new WireError(
    'coordinator-unreachable',
    `No coordinator answers at ${address} (${details}): check the address, that "sluice coordinator" runs there, and the firewall.`,
    { cause },
  )
}
