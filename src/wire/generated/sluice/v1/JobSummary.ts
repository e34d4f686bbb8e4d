// Original file: proto/sluice/v1/jobs.proto


export interface JobSummary {
  'job'?: (string);
  'name'?: (string);
  /**
   * queued, running, completed, failed, cancelled.
   */
  'state'?: (string);
  'reason'?: (string);
  'submittedBy'?: (string);
  'submittedAt'?: (string);
  'endedAt'?: (string);
}

export interface JobSummary__Output {
  'job': (string);
  'name': (string);
  /**
   * queued, running, completed, failed, cancelled.
   */
  'state': (string);
  'reason': (string);
  'submittedBy': (string);
  'submittedAt': (string);
  'endedAt': (string);
}
