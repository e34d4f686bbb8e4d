// Original file: proto/sluice/v1/jobs.proto


export interface SubmitJobResponse {
  'job'?: (string);
}

export interface SubmitJobResponse__Output {
  'job': (string);
}
