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
  /**
   * low, normal, high; of a job that has not ended.
   */
  'priority'?: (string);
  /**
   * From 1, of a job that no coordinator runs now.
   */
  'place'?: (number);
  /**
   * By which coordinator it is run, or why it is not; for people.
   */
  'standing'?: (string);
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
  /**
   * low, normal, high; of a job that has not ended.
   */
  'priority': (string);
  /**
   * From 1, of a job that no coordinator runs now.
   */
  'place': (number);
  /**
   * By which coordinator it is run, or why it is not; for people.
   */
  'standing': (string);
}
