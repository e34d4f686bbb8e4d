// Original file: proto/sluice/v1/coordinator.proto

import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';

/**
 * A statement and its audit path in the tree of the checkpoint beside it.
 */
export interface LoggedStatement {
  'statement'?: (_sluice_v1_Envelope | null);
  'position'?: (number | string);
  'path'?: (Buffer | Uint8Array | string)[];
}

/**
 * A statement and its audit path in the tree of the checkpoint beside it.
 */
export interface LoggedStatement__Output {
  'statement': (_sluice_v1_Envelope__Output | null);
  'position': (number);
  'path': (Buffer)[];
}
