// Original file: proto/sluice/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface StoredPayload {
  'digest'?: (string);
  'bytes'?: (number | string | Long);
}

export interface StoredPayload__Output {
  'digest': (string);
  'bytes': (number);
}
