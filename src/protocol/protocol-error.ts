import { SluiceError } from '../sluice-error.ts'

/**
 * Why a role refuses a message of the round. Refusals are values ({@link SluiceError} is for faults): they travel to
 * the peer, into the round's record and, where they name a misbehaving party, into the evidence.
 */
export type Refusal =
  // any statement
  | 'statement-too-large'
  | 'wrong-statement-type'
  | 'malformed-statement'
  | 'bad-signature'
  | 'wrong-round'
  | 'wrong-phase'
  | 'deadline-passed'
  // plan
  | 'inconsistent-plan'
  | 'unknown-coordinator'
  | 'below-policy-floor'
  | 'unaccepted-member'
  | 'input-mismatch'
  // contribution
  | 'not-in-cohort'
  | 'duplicate-contribution'
  | 'payload-mismatch'
  | 'shares-mismatch'
  | 'share-not-openable'
  // registry
  | 'registry-out-of-order'
  | 'quorum-not-met'
  | 'already-admitted'
  | 'not-a-member'
  | 'unusable-key'
  // log
  | 'checkpoint-not-accepted'
  | 'not-in-log'
  // candidates, share checks
  | 'other-candidates-checked'
  | 'malformed-check'
  | 'verdict-mismatch'
  // abandonment
  | 'round-abandoned'
  | 'not-abandoned'
  | 'already-answered'
  | 'question-answered'
  // published sum
  | 'bad-payload-hash'
  | 'wrong-sum'
  // manifest, certificate, share sums
  | 'too-few-contributors'
  | 'contributions-mismatch'
  | 'not-on-committee'
  | 'other-manifest-endorsed'
  | 'no-certificate'
  | 'bad-share-sum'
  | 'duplicate-share-sum'

/** Faults of the caller: a value that this side should never have handed to the protocol. */
export type ProtocolErrorCode =
  | 'bad-segment'
  | 'value-count-mismatch'
  | 'value-not-finite'
  | 'impossible-plan'
  | 'phase-out-of-order'
  | 'statement-too-large'
  | 'check-not-zero'
  | 'opening-too-short'

export class ProtocolError extends SluiceError<ProtocolErrorCode> {}
