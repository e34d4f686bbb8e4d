// Original file: proto/sluice/v1/jobs.proto


export interface JobOutput {
  /**
   * statistics, model, evaluation.
   */
  'name'?: (string);
  'version'?: (number);
  'digest'?: (string);
}

export interface JobOutput__Output {
  /**
   * statistics, model, evaluation.
   */
  'name': (string);
  'version': (number);
  'digest': (string);
}
