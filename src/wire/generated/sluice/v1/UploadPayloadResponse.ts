// Original file: proto/sluice/v1/coordinator.proto

import type { UploadPosition as _sluice_v1_UploadPosition, UploadPosition__Output as _sluice_v1_UploadPosition__Output } from '../../sluice/v1/UploadPosition.ts';
import type { StoredPayload as _sluice_v1_StoredPayload, StoredPayload__Output as _sluice_v1_StoredPayload__Output } from '../../sluice/v1/StoredPayload.ts';

export interface UploadPayloadResponse {
  /**
   * First, when the ciphertext is not whole yet.
   */
  'position'?: (_sluice_v1_UploadPosition | null);
  /**
   * Since then so many chunks are durable: an upload that is cut goes on after them.
   */
  'durableChunks'?: (number);
  /**
   * Last: the whole ciphertext is durable.
   */
  'stored'?: (_sluice_v1_StoredPayload | null);
  'answer'?: "position"|"durableChunks"|"stored";
}

export interface UploadPayloadResponse__Output {
  /**
   * First, when the ciphertext is not whole yet.
   */
  'position'?: (_sluice_v1_UploadPosition__Output | null);
  /**
   * Since then so many chunks are durable: an upload that is cut goes on after them.
   */
  'durableChunks'?: (number);
  /**
   * Last: the whole ciphertext is durable.
   */
  'stored'?: (_sluice_v1_StoredPayload__Output | null);
  'answer'?: "position"|"durableChunks"|"stored";
}
