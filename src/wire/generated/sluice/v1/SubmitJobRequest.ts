// Original file: proto/sluice/v1/jobs.proto


export interface SubmitJobRequest {
  /**
   * A job specification, format "sluice.job/1", as UTF-8 JSON (docs/JOBS.md).
   */
  'specification'?: (Buffer | Uint8Array | string);
}

export interface SubmitJobRequest__Output {
  /**
   * A job specification, format "sluice.job/1", as UTF-8 JSON (docs/JOBS.md).
   */
  'specification': (Buffer);
}
