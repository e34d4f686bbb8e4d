// Original file: proto/sluice/v1/trainer.proto

import type { Examples as _sluice_v1_Examples, Examples__Output as _sluice_v1_Examples__Output } from '../../sluice/v1/Examples.ts';
import type { TrainOptions as _sluice_v1_TrainOptions, TrainOptions__Output as _sluice_v1_TrainOptions__Output } from '../../sluice/v1/TrainOptions.ts';

export interface TrainRequest {
  /**
   * A model description, format "sluice.model/1", as UTF-8 JSON.
   */
  'model'?: (Buffer | Uint8Array | string);
  'weights'?: (Buffer | Uint8Array | string);
  'examples'?: (_sluice_v1_Examples | null);
  'options'?: (_sluice_v1_TrainOptions | null);
}

export interface TrainRequest__Output {
  /**
   * A model description, format "sluice.model/1", as UTF-8 JSON.
   */
  'model': (Buffer);
  'weights': (Buffer);
  'examples': (_sluice_v1_Examples__Output | null);
  'options': (_sluice_v1_TrainOptions__Output | null);
}
