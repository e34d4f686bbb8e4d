import { SluiceError } from '../sluice-error.ts'

export type WireErrorCode =
  // credentials
  | 'credential-missing'
  | 'credential-invalid'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  | 'certificate-foreign'
  | 'coordinator-certificate-expired'
  | 'authority-mismatch'
  | 'wrong-peer'
  // connection
  | 'address-invalid'
  | 'port-in-use'
  | 'coordinator-unreachable'
  | 'log-unreachable'
  | 'not-admitted'
  /** Enrolled, and waiting for the members' signatures. */
  | 'admission-pending'
  | 'too-many-certificates'
  | 'protocol-version'
  | 'connection-lost'
  /** Nothing has moved for `limits.idleMs`. */
  | 'transfer-idle'
  // limits of an identity, over all its connections
  | 'too-many-calls'
  | 'too-many-uploads'
  /** More bytes of one ciphertext have come than its plan and any number of honest cuts explain. */
  | 'upload-allowance-used'
  // enrolment
  | 'invite-unknown'
  | 'invite-expired'
  | 'invite-used'
  | 'enrolment-refused'
  // messages
  | 'malformed-message'
  | 'message-too-large'
  | 'upload-refused'
  /** The coordinator has bytes to this plan, in this holder's name, that this holder did not make. */
  | 'other-ciphertext'
  | 'digest-mismatch'
  | 'not-found'
  | 'remote-failure'

/** What goes wrong between processes. gRPC status codes exist in this folder only; past it there are these. */
export class WireError extends SluiceError<WireErrorCode> {}
