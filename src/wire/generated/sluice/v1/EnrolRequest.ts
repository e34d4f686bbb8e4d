// Original file: proto/sluice/v1/enrolment.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';

export interface EnrolRequest {
  /**
   * "1": peers refuse a version they do not speak.
   */
  'protocolVersion'?: (string);
  /**
   * The invite's secret, 32 bytes. It counts once.
   */
  'secret'?: (Buffer | Uint8Array | string);
  /**
   * PKCS #10, DER: a P-256 key that the invited party made and keeps.
   */
  'signingRequest'?: (Buffer | Uint8Array | string);
  /**
   * Of a data holder: its member entry, signed with its own statement key. Absent for a researcher.
   */
  'application'?: (_sluice_v1_Envelope | null);
}

export interface EnrolRequest__Output {
  /**
   * "1": peers refuse a version they do not speak.
   */
  'protocolVersion': (string);
  /**
   * The invite's secret, 32 bytes. It counts once.
   */
  'secret': (Buffer);
  /**
   * PKCS #10, DER: a P-256 key that the invited party made and keeps.
   */
  'signingRequest': (Buffer);
  /**
   * Of a data holder: its member entry, signed with its own statement key. Absent for a researcher.
   */
  'application': (_sluice_v1_Envelope__Output | null);
}
