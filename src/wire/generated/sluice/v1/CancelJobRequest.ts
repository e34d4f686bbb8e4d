// Original file: proto/sluice/v1/jobs.proto


export interface CancelJobRequest {
  'job'?: (string);
}

export interface CancelJobRequest__Output {
  'job': (string);
}
