import { SluiceError } from '../sluice-error.ts'

/** Everything that `src/crypto` refuses, by name. Closed: a caller that switches over it is checked by the compiler. */
export type CryptoErrorCode =
  // parameters and inputs of the caller
  | 'parameters-out-of-range'
  | 'no-lane-fits'
  | 'seed-not-256-bits'
  | 'digest-not-256-bits'
  | 'chunk-out-of-range'
  | 'wrong-value-count'
  | 'value-out-of-bounds'
  // one-time use
  | 'pad-already-used'
  | 'key-bound-to-another-plan'
  | 'already-disposed'
  // what came over the wire
  | 'wrong-length'
  | 'residue-not-canonical'
  | 'padding-not-zero'
  | 'too-many-contributors'
  | 'chunk-already-added'
  | 'bad-hash'
  // opening
  | 'nothing-to-open'
  | 'chunks-missing'
  | 'key-sum-implausible'
  | 'noise-out-of-bounds'
  | 'sum-out-of-bounds'
  // statements, sealed boxes, shares
  | 'bad-key'
  | 'bad-signing-request'
  | 'bad-envelope'
  | 'box-not-openable'
  | 'bad-threshold'
  | 'bad-share'
  // the machine
  | 'platform-unsupported'
  | 'ring-unavailable'
  | 'worker-died'
  | 'workers-closed'

/**
 * The one error of `src/crypto`. Messages never hold a value, a key, a share or a seed: counts, indices and bounds only.
 */
export class CryptoError extends SluiceError<CryptoErrorCode> {}
