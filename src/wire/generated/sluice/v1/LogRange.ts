// Original file: proto/sluice/v1/coordinator.proto


/**
 * All entries from a position to the end of a checkpoint's tree.
 */
export interface LogRange {
  'start'?: (number | string);
  /**
   * Roots of the complete subtrees before start, largest first.
   */
  'before'?: (Buffer | Uint8Array | string)[];
  'entries'?: (Buffer | Uint8Array | string)[];
  /**
   * Payloads of those detached entries that speak of rounds (ADR 0005, ADR 0009), in the entries' order.
   */
  'payloads'?: (Buffer | Uint8Array | string)[];
}

/**
 * All entries from a position to the end of a checkpoint's tree.
 */
export interface LogRange__Output {
  'start': (number);
  /**
   * Roots of the complete subtrees before start, largest first.
   */
  'before': (Buffer)[];
  'entries': (Buffer)[];
  /**
   * Payloads of those detached entries that speak of rounds (ADR 0005, ADR 0009), in the entries' order.
   */
  'payloads': (Buffer)[];
}
