// Original file: proto/sluice/v1/coordinator.proto


export interface IssuedCertificate {
  'certificatePem'?: (string);
  'authorityPem'?: (string);
}

export interface IssuedCertificate__Output {
  'certificatePem': (string);
  'authorityPem': (string);
}
