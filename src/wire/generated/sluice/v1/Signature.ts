// Original file: proto/sluice/v1/envelope.proto


export interface Signature {
  'sig'?: (Buffer | Uint8Array | string);
  /**
   * SHA-256 of the raw public key, hexadecimal. A hint, never a proof.
   */
  'keyid'?: (string);
}

export interface Signature__Output {
  'sig': (Buffer);
  /**
   * SHA-256 of the raw public key, hexadecimal. A hint, never a proof.
   */
  'keyid': (string);
}
