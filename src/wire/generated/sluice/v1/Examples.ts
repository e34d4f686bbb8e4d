// Original file: proto/sluice/v1/trainer.proto


export interface Examples {
  'features'?: (Buffer | Uint8Array | string);
  'labels'?: (Buffer | Uint8Array | string);
  'exampleCount'?: (number);
}

export interface Examples__Output {
  'features': (Buffer);
  'labels': (Buffer);
  'exampleCount': (number);
}
