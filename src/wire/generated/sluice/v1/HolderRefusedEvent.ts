// Original file: proto/sluice/v1/jobs.proto


export interface HolderRefusedEvent {
  'round'?: (number);
  'holder'?: (string);
  'code'?: (string);
  'reason'?: (string);
}

export interface HolderRefusedEvent__Output {
  'round': (number);
  'holder': (string);
  'code': (string);
  'reason': (string);
}
