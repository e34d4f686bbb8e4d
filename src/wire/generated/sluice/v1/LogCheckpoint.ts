// Original file: proto/sluice/v1/coordinator.proto


/**
 * A checkpoint of the log, and why it continues what the holder knows (C2SP tlog-witness, add-checkpoint).
 */
export interface LogCheckpoint {
  /**
   * A signed note, with cosignatures where they are due.
   */
  'note'?: (string);
  /**
   * Size of the tree that the proof starts from.
   */
  'oldSize'?: (number | string);
  /**
   * Consistency proof, 32 bytes each.
   */
  'proof'?: (Buffer | Uint8Array | string)[];
}

/**
 * A checkpoint of the log, and why it continues what the holder knows (C2SP tlog-witness, add-checkpoint).
 */
export interface LogCheckpoint__Output {
  /**
   * A signed note, with cosignatures where they are due.
   */
  'note': (string);
  /**
   * Size of the tree that the proof starts from.
   */
  'oldSize': (number);
  /**
   * Consistency proof, 32 bytes each.
   */
  'proof': (Buffer)[];
}
