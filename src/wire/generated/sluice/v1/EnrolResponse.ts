// Original file: proto/sluice/v1/enrolment.proto

import type { IssuedCertificate as _sluice_v1_IssuedCertificate, IssuedCertificate__Output as _sluice_v1_IssuedCertificate__Output } from '../../sluice/v1/IssuedCertificate.ts';

export interface EnrolResponse {
  'certificate'?: (_sluice_v1_IssuedCertificate | null);
}

export interface EnrolResponse__Output {
  'certificate': (_sluice_v1_IssuedCertificate__Output | null);
}
