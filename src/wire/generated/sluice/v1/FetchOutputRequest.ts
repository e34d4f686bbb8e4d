// Original file: proto/sluice/v1/jobs.proto


export interface FetchOutputRequest {
  'job'?: (string);
  'digest'?: (string);
}

export interface FetchOutputRequest__Output {
  'job': (string);
  'digest': (string);
}
