// Original file: proto/sluice/v1/jobs.proto


export interface JobStateEvent {
  'state'?: (string);
  'reason'?: (string);
}

export interface JobStateEvent__Output {
  'state': (string);
  'reason': (string);
}
