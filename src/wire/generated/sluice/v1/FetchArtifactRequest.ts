// Original file: proto/sluice/v1/coordinator.proto


export interface FetchArtifactRequest {
  'digest'?: (string);
}

export interface FetchArtifactRequest__Output {
  'digest': (string);
}
