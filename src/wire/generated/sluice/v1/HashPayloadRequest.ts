// Original file: proto/sluice/v1/coordinator.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';

/**
 * To every contributor of a sealed round.
 */
export interface HashPayloadRequest {
  'planDigest'?: (string);
  'manifest'?: (_sluice_v1_Envelope | null);
  /**
   * Digest of the ciphertexts' sum: fixed before there is a challenge.
   */
  'sum'?: (string);
}

/**
 * To every contributor of a sealed round.
 */
export interface HashPayloadRequest__Output {
  'planDigest': (string);
  'manifest': (_sluice_v1_Envelope__Output | null);
  /**
   * Digest of the ciphertexts' sum: fixed before there is a challenge.
   */
  'sum': (string);
}
