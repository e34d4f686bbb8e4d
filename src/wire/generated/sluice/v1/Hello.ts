// Original file: proto/sluice/v1/coordinator.proto


/**
 * First message of a holder.
 */
export interface Hello {
  /**
   * "1": peers refuse a version they do not speak, and say which one they do. A member that only looks greets with "?".
   */
  'protocolVersion'?: (string);
  'software'?: (string);
}

/**
 * First message of a holder.
 */
export interface Hello__Output {
  /**
   * "1": peers refuse a version they do not speak, and say which one they do. A member that only looks greets with "?".
   */
  'protocolVersion': (string);
  'software': (string);
}
