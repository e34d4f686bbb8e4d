// Original file: proto/sluice/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface FetchOpeningRequest {
  'planDigest'?: (string);
  /**
   * Bytes of the opening before the first that is asked for.
   */
  'offset'?: (number | string | Long);
}

export interface FetchOpeningRequest__Output {
  'planDigest': (string);
  /**
   * Bytes of the opening before the first that is asked for.
   */
  'offset': (number);
}
