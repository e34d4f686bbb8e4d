// Original file: proto/sluice/v1/jobs.proto


export interface RoundAbandonedEvent {
  'round'?: (number);
  'step'?: (string);
  'reason'?: (string);
}

export interface RoundAbandonedEvent__Output {
  'round': (number);
  'step': (string);
  'reason': (string);
}
