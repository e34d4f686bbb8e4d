// Original file: proto/sluice/v1/coordinator.proto


export interface FetchOpeningRequest {
  'planDigest'?: (string);
}

export interface FetchOpeningRequest__Output {
  'planDigest': (string);
}
