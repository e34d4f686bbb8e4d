// Original file: proto/sluice/v1/coordinator.proto


export interface Welcome {
  'protocolVersion'?: (string);
  'software'?: (string);
}

export interface Welcome__Output {
  'protocolVersion': (string);
  'software': (string);
}
