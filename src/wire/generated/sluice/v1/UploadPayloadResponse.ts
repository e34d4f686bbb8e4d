// Original file: proto/sluice/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface UploadPayloadResponse {
  'digest'?: (string);
  'bytes'?: (number | string | Long);
}

export interface UploadPayloadResponse__Output {
  'digest': (string);
  'bytes': (number);
}
