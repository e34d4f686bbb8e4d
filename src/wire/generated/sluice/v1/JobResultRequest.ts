// Original file: proto/sluice/v1/jobs.proto


export interface JobResultRequest {
  'job'?: (string);
}

export interface JobResultRequest__Output {
  'job': (string);
}
