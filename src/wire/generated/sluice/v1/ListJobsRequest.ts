// Original file: proto/sluice/v1/jobs.proto


export interface ListJobsRequest {
  /**
   * 1 to 1000; 0 is 50.
   */
  'limit'?: (number);
}

export interface ListJobsRequest__Output {
  /**
   * 1 to 1000; 0 is 50.
   */
  'limit': (number);
}
