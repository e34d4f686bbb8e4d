// Original file: proto/sluice/v1/coordinator.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';
import type { LogCheckpoint as _sluice_v1_LogCheckpoint, LogCheckpoint__Output as _sluice_v1_LogCheckpoint__Output } from '../../sluice/v1/LogCheckpoint.ts';
import type { LogRange as _sluice_v1_LogRange, LogRange__Output as _sluice_v1_LogRange__Output } from '../../sluice/v1/LogRange.ts';
import type { LoggedStatement as _sluice_v1_LoggedStatement, LoggedStatement__Output as _sluice_v1_LoggedStatement__Output } from '../../sluice/v1/LoggedStatement.ts';

export interface ContributeRequest {
  'plan'?: (_sluice_v1_Envelope | null);
  'checkpoint'?: (_sluice_v1_LogCheckpoint | null);
  /**
   * From the plan's entry on.
   */
  'range'?: (_sluice_v1_LogRange | null);
  'job'?: (_sluice_v1_LoggedStatement | null);
  /**
   * Of the plan's inputs, except for an initial model.
   */
  'publications'?: (_sluice_v1_LoggedStatement)[];
  /**
   * Earlier plans of the same question that will never be opened: their abandonments, each with t signatures.
   */
  'abandonments'?: (_sluice_v1_Envelope)[];
}

export interface ContributeRequest__Output {
  'plan': (_sluice_v1_Envelope__Output | null);
  'checkpoint': (_sluice_v1_LogCheckpoint__Output | null);
  /**
   * From the plan's entry on.
   */
  'range': (_sluice_v1_LogRange__Output | null);
  'job': (_sluice_v1_LoggedStatement__Output | null);
  /**
   * Of the plan's inputs, except for an initial model.
   */
  'publications': (_sluice_v1_LoggedStatement__Output)[];
  /**
   * Earlier plans of the same question that will never be opened: their abandonments, each with t signatures.
   */
  'abandonments': (_sluice_v1_Envelope__Output)[];
}
