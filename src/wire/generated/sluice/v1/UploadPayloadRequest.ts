// Original file: proto/sluice/v1/coordinator.proto

import type { UploadHeader as _sluice_v1_UploadHeader, UploadHeader__Output as _sluice_v1_UploadHeader__Output } from '../../sluice/v1/UploadHeader.ts';

export interface UploadPayloadRequest {
  'header'?: (_sluice_v1_UploadHeader | null);
  'chunk'?: (Buffer | Uint8Array | string);
  'part'?: "header"|"chunk";
}

export interface UploadPayloadRequest__Output {
  'header'?: (_sluice_v1_UploadHeader__Output | null);
  'chunk'?: (Buffer);
  'part'?: "header"|"chunk";
}
