// Original file: proto/sluice/v1/jobs.proto

import type { BinnedMetric as _sluice_v1_BinnedMetric, BinnedMetric__Output as _sluice_v1_BinnedMetric__Output } from '../../sluice/v1/BinnedMetric.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * Of one model version on all held-out parts together, from protected sums.
 */
export interface Evaluation {
  'exampleCount'?: (number | string | Long);
  'meanLoss'?: (number | string);
  'accuracy'?: (_sluice_v1_BinnedMetric | null);
  /**
   * Absent when a class has no example.
   */
  'auc'?: (_sluice_v1_BinnedMetric | null);
}

/**
 * Of one model version on all held-out parts together, from protected sums.
 */
export interface Evaluation__Output {
  'exampleCount': (number);
  'meanLoss': (number);
  'accuracy': (_sluice_v1_BinnedMetric__Output | null);
  /**
   * Absent when a class has no example.
   */
  'auc': (_sluice_v1_BinnedMetric__Output | null);
}
