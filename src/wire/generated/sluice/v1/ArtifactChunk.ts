// Original file: proto/sluice/v1/coordinator.proto


export interface ArtifactChunk {
  'bytes'?: (Buffer | Uint8Array | string);
}

export interface ArtifactChunk__Output {
  'bytes': (Buffer);
}
