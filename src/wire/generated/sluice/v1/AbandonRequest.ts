// Original file: proto/sluice/v1/coordinator.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';

/**
 * To the committee: promise never to answer for this plan.
 */
export interface AbandonRequest {
  'planDigest'?: (string);
  'abandonment'?: (_sluice_v1_Envelope | null);
}

/**
 * To the committee: promise never to answer for this plan.
 */
export interface AbandonRequest__Output {
  'planDigest': (string);
  'abandonment': (_sluice_v1_Envelope__Output | null);
}
