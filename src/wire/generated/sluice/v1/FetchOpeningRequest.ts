// Original file: proto/sluice/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface FetchOpeningRequest {
  'planDigest'?: (string);
  /**
   * The first byte to send, as in FetchArtifactRequest.
   */
  'offset'?: (number | string | Long);
}

export interface FetchOpeningRequest__Output {
  'planDigest': (string);
  /**
   * The first byte to send, as in FetchArtifactRequest.
   */
  'offset': (number);
}
