// Original file: proto/sluice/v1/coordinator.proto

import type { LogCheckpoint as _sluice_v1_LogCheckpoint, LogCheckpoint__Output as _sluice_v1_LogCheckpoint__Output } from '../../sluice/v1/LogCheckpoint.ts';

export interface CosignRequest {
  'checkpoint'?: (_sluice_v1_LogCheckpoint | null);
}

export interface CosignRequest__Output {
  'checkpoint': (_sluice_v1_LogCheckpoint__Output | null);
}
