// Original file: proto/sluice/v1/envelope.proto

import type { Signature as _sluice_v1_Signature, Signature__Output as _sluice_v1_Signature__Output } from '../../sluice/v1/Signature.ts';

/**
 * A DSSE envelope (github.com/secure-systems-lab/dsse, v1.0). The field numbers are those of DSSE's own envelope.proto.
 * 
 * payload is the UTF-8 JSON of one message of round.proto (its ProtoJSON form, fields in lowerCamelCase, digests and keys
 * as lowercase hexadecimal strings); payload_type is "application/vnd.sluice.v1.<name>+json". Signatures are Ed25519 over
 * PAE(payload_type, payload): the exact bytes, so that no canonical form is needed.
 */
export interface Envelope {
  'payload'?: (Buffer | Uint8Array | string);
  'payloadType'?: (string);
  'signatures'?: (_sluice_v1_Signature)[];
}

/**
 * A DSSE envelope (github.com/secure-systems-lab/dsse, v1.0). The field numbers are those of DSSE's own envelope.proto.
 * 
 * payload is the UTF-8 JSON of one message of round.proto (its ProtoJSON form, fields in lowerCamelCase, digests and keys
 * as lowercase hexadecimal strings); payload_type is "application/vnd.sluice.v1.<name>+json". Signatures are Ed25519 over
 * PAE(payload_type, payload): the exact bytes, so that no canonical form is needed.
 */
export interface Envelope__Output {
  'payload': (Buffer);
  'payloadType': (string);
  'signatures': (_sluice_v1_Signature__Output)[];
}
