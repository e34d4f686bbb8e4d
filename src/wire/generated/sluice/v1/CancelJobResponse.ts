// Original file: proto/sluice/v1/jobs.proto


export interface CancelJobResponse {
  'cancelled'?: (boolean);
}

export interface CancelJobResponse__Output {
  'cancelled': (boolean);
}
