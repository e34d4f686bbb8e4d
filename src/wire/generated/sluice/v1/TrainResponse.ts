// Original file: proto/sluice/v1/trainer.proto


export interface TrainResponse {
  'weights'?: (Buffer | Uint8Array | string);
  'exampleCount'?: (number);
  'meanLoss'?: (number | string);
  'steps'?: (number);
}

export interface TrainResponse__Output {
  'weights': (Buffer);
  'exampleCount': (number);
  'meanLoss': (number);
  'steps': (number);
}
