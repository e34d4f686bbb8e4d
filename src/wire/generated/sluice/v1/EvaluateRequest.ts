// Original file: proto/sluice/v1/trainer.proto

import type { Examples as _sluice_v1_Examples, Examples__Output as _sluice_v1_Examples__Output } from '../../sluice/v1/Examples.ts';

export interface EvaluateRequest {
  'model'?: (Buffer | Uint8Array | string);
  'weights'?: (Buffer | Uint8Array | string);
  'examples'?: (_sluice_v1_Examples | null);
}

export interface EvaluateRequest__Output {
  'model': (Buffer);
  'weights': (Buffer);
  'examples': (_sluice_v1_Examples__Output | null);
}
