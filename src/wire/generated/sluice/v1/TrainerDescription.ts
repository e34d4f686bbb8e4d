// Original file: proto/sluice/v1/trainer.proto


export interface TrainerDescription {
  'name'?: (string);
  'version'?: (string);
  'backend'?: (string);
  'notes'?: (string)[];
}

export interface TrainerDescription__Output {
  'name': (string);
  'version': (string);
  'backend': (string);
  'notes': (string)[];
}
