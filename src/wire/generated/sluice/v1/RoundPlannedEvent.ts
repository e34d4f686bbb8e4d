// Original file: proto/sluice/v1/jobs.proto


export interface RoundPlannedEvent {
  'round'?: (number);
  'step'?: (string);
  'holders'?: (string)[];
}

export interface RoundPlannedEvent__Output {
  'round': (number);
  'step': (string);
  'holders': (string)[];
}
