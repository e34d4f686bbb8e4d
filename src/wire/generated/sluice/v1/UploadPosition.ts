// Original file: proto/sluice/v1/coordinator.proto


/**
 * What the coordinator has durably. The holder compares: bytes that are not its own it does not continue.
 */
export interface UploadPosition {
  'chunks'?: (number);
  /**
   * The payload digest over exactly these chunks.
   */
  'digest'?: (string);
}

/**
 * What the coordinator has durably. The holder compares: bytes that are not its own it does not continue.
 */
export interface UploadPosition__Output {
  'chunks': (number);
  /**
   * The payload digest over exactly these chunks.
   */
  'digest': (string);
}
