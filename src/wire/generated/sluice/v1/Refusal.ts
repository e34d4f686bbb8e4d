// Original file: proto/sluice/v1/coordinator.proto


export interface Refusal {
  'code'?: (string);
  'reason'?: (string);
}

export interface Refusal__Output {
  'code': (string);
  'reason': (string);
}
