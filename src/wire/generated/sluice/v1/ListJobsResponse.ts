// Original file: proto/sluice/v1/jobs.proto

import type { JobSummary as _sluice_v1_JobSummary, JobSummary__Output as _sluice_v1_JobSummary__Output } from '../../sluice/v1/JobSummary.ts';

export interface ListJobsResponse {
  'jobs'?: (_sluice_v1_JobSummary)[];
}

export interface ListJobsResponse__Output {
  'jobs': (_sluice_v1_JobSummary__Output)[];
}
