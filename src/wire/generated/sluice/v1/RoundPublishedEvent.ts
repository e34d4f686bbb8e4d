// Original file: proto/sluice/v1/jobs.proto

import type { RoundDurations as _sluice_v1_RoundDurations, RoundDurations__Output as _sluice_v1_RoundDurations__Output } from '../../sluice/v1/RoundDurations.ts';
import type { Evaluation as _sluice_v1_Evaluation, Evaluation__Output as _sluice_v1_Evaluation__Output } from '../../sluice/v1/Evaluation.ts';
import type { Long } from '@grpc/proto-loader';

export interface RoundPublishedEvent {
  'round'?: (number);
  'step'?: (string);
  'contributors'?: (string)[];
  /**
   * Of one contributor.
   */
  'ciphertextBytes'?: (number | string | Long);
  'statementBytes'?: (number | string | Long);
  'durations'?: (_sluice_v1_RoundDurations | null);
  'evaluation'?: (_sluice_v1_Evaluation | null);
  'modelVersion'?: (number);
  '_modelVersion'?: "modelVersion";
}

export interface RoundPublishedEvent__Output {
  'round': (number);
  'step': (string);
  'contributors': (string)[];
  /**
   * Of one contributor.
   */
  'ciphertextBytes': (number);
  'statementBytes': (number);
  'durations': (_sluice_v1_RoundDurations__Output | null);
  'evaluation': (_sluice_v1_Evaluation__Output | null);
  'modelVersion'?: (number);
  '_modelVersion'?: "modelVersion";
}
