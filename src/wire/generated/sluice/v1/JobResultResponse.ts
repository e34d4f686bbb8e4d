// Original file: proto/sluice/v1/jobs.proto

import type { JobSummary as _sluice_v1_JobSummary, JobSummary__Output as _sluice_v1_JobSummary__Output } from '../../sluice/v1/JobSummary.ts';
import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';
import type { JobOutput as _sluice_v1_JobOutput, JobOutput__Output as _sluice_v1_JobOutput__Output } from '../../sluice/v1/JobOutput.ts';

export interface JobResultResponse {
  'summary'?: (_sluice_v1_JobSummary | null);
  'statement'?: (_sluice_v1_Envelope | null);
  'outputs'?: (_sluice_v1_JobOutput)[];
}

export interface JobResultResponse__Output {
  'summary': (_sluice_v1_JobSummary__Output | null);
  'statement': (_sluice_v1_Envelope__Output | null);
  'outputs': (_sluice_v1_JobOutput__Output)[];
}
