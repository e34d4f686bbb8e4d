// Original file: proto/sluice/v1/jobs.proto


export interface RoundDurations {
  'collectMs'?: (number | string);
  'certifyMs'?: (number | string);
  'answerMs'?: (number | string);
  'openMs'?: (number | string);
  'publishMs'?: (number | string);
  'totalMs'?: (number | string);
  /**
   * Plan into the log and cosigned; candidates logged, shares checked, set sealed.
   */
  'planMs'?: (number | string);
  'checkMs'?: (number | string);
}

export interface RoundDurations__Output {
  'collectMs': (number);
  'certifyMs': (number);
  'answerMs': (number);
  'openMs': (number);
  'publishMs': (number);
  'totalMs': (number);
  /**
   * Plan into the log and cosigned; candidates logged, shares checked, set sealed.
   */
  'planMs': (number);
  'checkMs': (number);
}
