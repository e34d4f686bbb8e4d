// Original file: proto/sluice/v1/coordinator.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';
import type { LogCheckpoint as _sluice_v1_LogCheckpoint, LogCheckpoint__Output as _sluice_v1_LogCheckpoint__Output } from '../../sluice/v1/LogCheckpoint.ts';
import type { LogRange as _sluice_v1_LogRange, LogRange__Output as _sluice_v1_LogRange__Output } from '../../sluice/v1/LogRange.ts';

/**
 * To the contributors, when share checks do not agree: what did you deal?
 */
export interface ExplainSharesRequest {
  'planDigest'?: (string);
  'candidates'?: (_sluice_v1_Envelope | null);
  'checkpoint'?: (_sluice_v1_LogCheckpoint | null);
  /**
   * From the plan's entry on.
   */
  'range'?: (_sluice_v1_LogRange | null);
}

/**
 * To the contributors, when share checks do not agree: what did you deal?
 */
export interface ExplainSharesRequest__Output {
  'planDigest': (string);
  'candidates': (_sluice_v1_Envelope__Output | null);
  'checkpoint': (_sluice_v1_LogCheckpoint__Output | null);
  /**
   * From the plan's entry on.
   */
  'range': (_sluice_v1_LogRange__Output | null);
}
