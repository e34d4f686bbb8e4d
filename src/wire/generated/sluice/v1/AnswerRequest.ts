// Original file: proto/sluice/v1/coordinator.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';

export interface AnswerRequest {
  'planDigest'?: (string);
  'certificate'?: (_sluice_v1_Envelope | null);
}

export interface AnswerRequest__Output {
  'planDigest': (string);
  'certificate': (_sluice_v1_Envelope__Output | null);
}
