// Original file: proto/sluice/v1/jobs.proto


export interface RoundDurations {
  'collectMs'?: (number | string);
  'certifyMs'?: (number | string);
  'answerMs'?: (number | string);
  'openMs'?: (number | string);
  'publishMs'?: (number | string);
  'totalMs'?: (number | string);
}

export interface RoundDurations__Output {
  'collectMs': (number);
  'certifyMs': (number);
  'answerMs': (number);
  'openMs': (number);
  'publishMs': (number);
  'totalMs': (number);
}
