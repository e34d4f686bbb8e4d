// Original file: proto/sluice/v1/jobs.proto

import type { JobStateEvent as _sluice_v1_JobStateEvent, JobStateEvent__Output as _sluice_v1_JobStateEvent__Output } from '../../sluice/v1/JobStateEvent.ts';
import type { RoundPlannedEvent as _sluice_v1_RoundPlannedEvent, RoundPlannedEvent__Output as _sluice_v1_RoundPlannedEvent__Output } from '../../sluice/v1/RoundPlannedEvent.ts';
import type { RoundAbandonedEvent as _sluice_v1_RoundAbandonedEvent, RoundAbandonedEvent__Output as _sluice_v1_RoundAbandonedEvent__Output } from '../../sluice/v1/RoundAbandonedEvent.ts';
import type { HolderRefusedEvent as _sluice_v1_HolderRefusedEvent, HolderRefusedEvent__Output as _sluice_v1_HolderRefusedEvent__Output } from '../../sluice/v1/HolderRefusedEvent.ts';
import type { RoundPublishedEvent as _sluice_v1_RoundPublishedEvent, RoundPublishedEvent__Output as _sluice_v1_RoundPublishedEvent__Output } from '../../sluice/v1/RoundPublishedEvent.ts';
import type { Long } from '@grpc/proto-loader';

export interface JobEvent {
  'sequence'?: (number | string | Long);
  'at'?: (string);
  'jobState'?: (_sluice_v1_JobStateEvent | null);
  'roundPlanned'?: (_sluice_v1_RoundPlannedEvent | null);
  'roundAbandoned'?: (_sluice_v1_RoundAbandonedEvent | null);
  'holderRefused'?: (_sluice_v1_HolderRefusedEvent | null);
  'roundPublished'?: (_sluice_v1_RoundPublishedEvent | null);
  'event'?: "jobState"|"roundPlanned"|"roundAbandoned"|"holderRefused"|"roundPublished";
}

export interface JobEvent__Output {
  'sequence': (number);
  'at': (string);
  'jobState'?: (_sluice_v1_JobStateEvent__Output | null);
  'roundPlanned'?: (_sluice_v1_RoundPlannedEvent__Output | null);
  'roundAbandoned'?: (_sluice_v1_RoundAbandonedEvent__Output | null);
  'holderRefused'?: (_sluice_v1_HolderRefusedEvent__Output | null);
  'roundPublished'?: (_sluice_v1_RoundPublishedEvent__Output | null);
  'event'?: "jobState"|"roundPlanned"|"roundAbandoned"|"holderRefused"|"roundPublished";
}
