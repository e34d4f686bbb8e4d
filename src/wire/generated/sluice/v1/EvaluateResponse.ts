// Original file: proto/sluice/v1/trainer.proto


export interface EvaluateResponse {
  'scores'?: (Buffer | Uint8Array | string);
  'exampleCount'?: (number);
  'meanLoss'?: (number | string);
}

export interface EvaluateResponse__Output {
  'scores': (Buffer);
  'exampleCount': (number);
  'meanLoss': (number);
}
