// Original file: proto/sluice/v1/coordinator.proto

import type { Welcome as _sluice_v1_Welcome, Welcome__Output as _sluice_v1_Welcome__Output } from '../../sluice/v1/Welcome.ts';
import type { Request as _sluice_v1_Request, Request__Output as _sluice_v1_Request__Output } from '../../sluice/v1/Request.ts';

export interface CoordinatorMessage {
  'welcome'?: (_sluice_v1_Welcome | null);
  'request'?: (_sluice_v1_Request | null);
  'message'?: "welcome"|"request";
}

export interface CoordinatorMessage__Output {
  'welcome'?: (_sluice_v1_Welcome__Output | null);
  'request'?: (_sluice_v1_Request__Output | null);
  'message'?: "welcome"|"request";
}
