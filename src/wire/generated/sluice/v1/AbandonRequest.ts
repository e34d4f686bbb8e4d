// Original file: proto/sluice/v1/coordinator.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';

/**
 * To the committee: promise never to answer for this plan.
 */
export interface AbandonRequest {
  /**
   * A member may never have accepted it: it promises all the same.
   */
  'plan'?: (_sluice_v1_Envelope | null);
  'abandonment'?: (_sluice_v1_Envelope | null);
}

/**
 * To the committee: promise never to answer for this plan.
 */
export interface AbandonRequest__Output {
  /**
   * A member may never have accepted it: it promises all the same.
   */
  'plan': (_sluice_v1_Envelope__Output | null);
  'abandonment': (_sluice_v1_Envelope__Output | null);
}
