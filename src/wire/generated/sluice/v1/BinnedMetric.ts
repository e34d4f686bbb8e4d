// Original file: proto/sluice/v1/jobs.proto


export interface BinnedMetric {
  'value'?: (number | string);
  'errorBound'?: (number | string);
}

export interface BinnedMetric__Output {
  'value': (number);
  'errorBound': (number);
}
