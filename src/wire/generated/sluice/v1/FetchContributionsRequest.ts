// Original file: proto/sluice/v1/coordinator.proto


export interface FetchContributionsRequest {
  'planDigest'?: (string);
}

export interface FetchContributionsRequest__Output {
  'planDigest': (string);
}
