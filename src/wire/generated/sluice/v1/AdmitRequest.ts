// Original file: proto/sluice/v1/coordinator.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';

/**
 * To the members of the venue: sign a new entry of its registry.
 */
export interface AdmitRequest {
  'statement'?: (_sluice_v1_Envelope | null);
}

/**
 * To the members of the venue: sign a new entry of its registry.
 */
export interface AdmitRequest__Output {
  'statement': (_sluice_v1_Envelope__Output | null);
}
