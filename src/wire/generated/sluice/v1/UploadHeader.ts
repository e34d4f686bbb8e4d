// Original file: proto/sluice/v1/coordinator.proto


export interface UploadHeader {
  'planDigest'?: (string);
}

export interface UploadHeader__Output {
  'planDigest': (string);
}
