// Original file: proto/sluice/v1/jobs.proto

import type { Long } from '@grpc/proto-loader';

export interface WatchJobRequest {
  'job'?: (string);
  'afterSequence'?: (number | string | Long);
}

export interface WatchJobRequest__Output {
  'job': (string);
  'afterSequence': (number);
}
