// Original file: proto/sluice/v1/coordinator.proto


export interface RenewCertificateRequest {
  /**
   * PKCS #10, DER.
   */
  'signingRequest'?: (Buffer | Uint8Array | string);
}

export interface RenewCertificateRequest__Output {
  /**
   * PKCS #10, DER.
   */
  'signingRequest': (Buffer);
}
