// Original file: proto/sluice/v1/trainer.proto


export interface TrainOptions {
  'epochs'?: (number);
  'batchSize'?: (number);
  'learningRate'?: (number | string);
  'momentum'?: (number | string);
  /**
   * Replaces the model's penalty when present.
   */
  'l2'?: (number | string);
  /**
   * 32 bytes.
   */
  'shuffleSeed'?: (Buffer | Uint8Array | string);
  '_l2'?: "l2";
}

export interface TrainOptions__Output {
  'epochs': (number);
  'batchSize': (number);
  'learningRate': (number);
  'momentum': (number);
  /**
   * Replaces the model's penalty when present.
   */
  'l2'?: (number);
  /**
   * 32 bytes.
   */
  'shuffleSeed': (Buffer);
  '_l2'?: "l2";
}
