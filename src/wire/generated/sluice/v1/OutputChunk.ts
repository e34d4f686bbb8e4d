// Original file: proto/sluice/v1/jobs.proto


export interface OutputChunk {
  'bytes'?: (Buffer | Uint8Array | string);
}

export interface OutputChunk__Output {
  'bytes': (Buffer);
}
