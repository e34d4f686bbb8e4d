// Original file: proto/sluice/v1/coordinator.proto


export interface FetchRegistryRequest {
  /**
   * 0 for all.
   */
  'afterSequence'?: (number);
}

export interface FetchRegistryRequest__Output {
  /**
   * 0 for all.
   */
  'afterSequence': (number);
}
