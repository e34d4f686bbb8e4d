// Original file: proto/sluice/v1/coordinator.proto


/**
 * First message of a holder.
 */
export interface Hello {
  /**
   * "1": peers refuse a version they do not speak.
   */
  'protocolVersion'?: (string);
  'software'?: (string);
}

/**
 * First message of a holder.
 */
export interface Hello__Output {
  /**
   * "1": peers refuse a version they do not speak.
   */
  'protocolVersion': (string);
  'software': (string);
}
