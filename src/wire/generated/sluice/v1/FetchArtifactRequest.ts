// Original file: proto/sluice/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface FetchArtifactRequest {
  'digest'?: (string);
  /**
   * The first byte to send: a download that was cut goes on.
   */
  'offset'?: (number | string | Long);
}

export interface FetchArtifactRequest__Output {
  'digest': (string);
  /**
   * The first byte to send: a download that was cut goes on.
   */
  'offset': (number);
}
