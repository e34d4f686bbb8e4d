import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { BinnedMetric as _sluice_v1_BinnedMetric, BinnedMetric__Output as _sluice_v1_BinnedMetric__Output } from './sluice/v1/BinnedMetric.ts';
import type { CancelJobRequest as _sluice_v1_CancelJobRequest, CancelJobRequest__Output as _sluice_v1_CancelJobRequest__Output } from './sluice/v1/CancelJobRequest.ts';
import type { CancelJobResponse as _sluice_v1_CancelJobResponse, CancelJobResponse__Output as _sluice_v1_CancelJobResponse__Output } from './sluice/v1/CancelJobResponse.ts';
import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from './sluice/v1/Envelope.ts';
import type { Evaluation as _sluice_v1_Evaluation, Evaluation__Output as _sluice_v1_Evaluation__Output } from './sluice/v1/Evaluation.ts';
import type { FetchOutputRequest as _sluice_v1_FetchOutputRequest, FetchOutputRequest__Output as _sluice_v1_FetchOutputRequest__Output } from './sluice/v1/FetchOutputRequest.ts';
import type { HolderRefusedEvent as _sluice_v1_HolderRefusedEvent, HolderRefusedEvent__Output as _sluice_v1_HolderRefusedEvent__Output } from './sluice/v1/HolderRefusedEvent.ts';
import type { JobEvent as _sluice_v1_JobEvent, JobEvent__Output as _sluice_v1_JobEvent__Output } from './sluice/v1/JobEvent.ts';
import type { JobOutput as _sluice_v1_JobOutput, JobOutput__Output as _sluice_v1_JobOutput__Output } from './sluice/v1/JobOutput.ts';
import type { JobResultRequest as _sluice_v1_JobResultRequest, JobResultRequest__Output as _sluice_v1_JobResultRequest__Output } from './sluice/v1/JobResultRequest.ts';
import type { JobResultResponse as _sluice_v1_JobResultResponse, JobResultResponse__Output as _sluice_v1_JobResultResponse__Output } from './sluice/v1/JobResultResponse.ts';
import type { JobStateEvent as _sluice_v1_JobStateEvent, JobStateEvent__Output as _sluice_v1_JobStateEvent__Output } from './sluice/v1/JobStateEvent.ts';
import type { JobSummary as _sluice_v1_JobSummary, JobSummary__Output as _sluice_v1_JobSummary__Output } from './sluice/v1/JobSummary.ts';
import type { JobsClient as _sluice_v1_JobsClient, JobsDefinition as _sluice_v1_JobsDefinition } from './sluice/v1/Jobs.ts';
import type { ListJobsRequest as _sluice_v1_ListJobsRequest, ListJobsRequest__Output as _sluice_v1_ListJobsRequest__Output } from './sluice/v1/ListJobsRequest.ts';
import type { ListJobsResponse as _sluice_v1_ListJobsResponse, ListJobsResponse__Output as _sluice_v1_ListJobsResponse__Output } from './sluice/v1/ListJobsResponse.ts';
import type { OutputChunk as _sluice_v1_OutputChunk, OutputChunk__Output as _sluice_v1_OutputChunk__Output } from './sluice/v1/OutputChunk.ts';
import type { RoundAbandonedEvent as _sluice_v1_RoundAbandonedEvent, RoundAbandonedEvent__Output as _sluice_v1_RoundAbandonedEvent__Output } from './sluice/v1/RoundAbandonedEvent.ts';
import type { RoundDurations as _sluice_v1_RoundDurations, RoundDurations__Output as _sluice_v1_RoundDurations__Output } from './sluice/v1/RoundDurations.ts';
import type { RoundPlannedEvent as _sluice_v1_RoundPlannedEvent, RoundPlannedEvent__Output as _sluice_v1_RoundPlannedEvent__Output } from './sluice/v1/RoundPlannedEvent.ts';
import type { RoundPublishedEvent as _sluice_v1_RoundPublishedEvent, RoundPublishedEvent__Output as _sluice_v1_RoundPublishedEvent__Output } from './sluice/v1/RoundPublishedEvent.ts';
import type { Signature as _sluice_v1_Signature, Signature__Output as _sluice_v1_Signature__Output } from './sluice/v1/Signature.ts';
import type { SubmitJobRequest as _sluice_v1_SubmitJobRequest, SubmitJobRequest__Output as _sluice_v1_SubmitJobRequest__Output } from './sluice/v1/SubmitJobRequest.ts';
import type { SubmitJobResponse as _sluice_v1_SubmitJobResponse, SubmitJobResponse__Output as _sluice_v1_SubmitJobResponse__Output } from './sluice/v1/SubmitJobResponse.ts';
import type { WatchJobRequest as _sluice_v1_WatchJobRequest, WatchJobRequest__Output as _sluice_v1_WatchJobRequest__Output } from './sluice/v1/WatchJobRequest.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  sluice: {
    v1: {
      BinnedMetric: MessageTypeDefinition<_sluice_v1_BinnedMetric, _sluice_v1_BinnedMetric__Output>
      CancelJobRequest: MessageTypeDefinition<_sluice_v1_CancelJobRequest, _sluice_v1_CancelJobRequest__Output>
      CancelJobResponse: MessageTypeDefinition<_sluice_v1_CancelJobResponse, _sluice_v1_CancelJobResponse__Output>
      Envelope: MessageTypeDefinition<_sluice_v1_Envelope, _sluice_v1_Envelope__Output>
      Evaluation: MessageTypeDefinition<_sluice_v1_Evaluation, _sluice_v1_Evaluation__Output>
      FetchOutputRequest: MessageTypeDefinition<_sluice_v1_FetchOutputRequest, _sluice_v1_FetchOutputRequest__Output>
      HolderRefusedEvent: MessageTypeDefinition<_sluice_v1_HolderRefusedEvent, _sluice_v1_HolderRefusedEvent__Output>
      JobEvent: MessageTypeDefinition<_sluice_v1_JobEvent, _sluice_v1_JobEvent__Output>
      JobOutput: MessageTypeDefinition<_sluice_v1_JobOutput, _sluice_v1_JobOutput__Output>
      JobResultRequest: MessageTypeDefinition<_sluice_v1_JobResultRequest, _sluice_v1_JobResultRequest__Output>
      JobResultResponse: MessageTypeDefinition<_sluice_v1_JobResultResponse, _sluice_v1_JobResultResponse__Output>
      JobStateEvent: MessageTypeDefinition<_sluice_v1_JobStateEvent, _sluice_v1_JobStateEvent__Output>
      JobSummary: MessageTypeDefinition<_sluice_v1_JobSummary, _sluice_v1_JobSummary__Output>
      Jobs: SubtypeConstructor<typeof grpc.Client, _sluice_v1_JobsClient> & { service: _sluice_v1_JobsDefinition }
      ListJobsRequest: MessageTypeDefinition<_sluice_v1_ListJobsRequest, _sluice_v1_ListJobsRequest__Output>
      ListJobsResponse: MessageTypeDefinition<_sluice_v1_ListJobsResponse, _sluice_v1_ListJobsResponse__Output>
      OutputChunk: MessageTypeDefinition<_sluice_v1_OutputChunk, _sluice_v1_OutputChunk__Output>
      RoundAbandonedEvent: MessageTypeDefinition<_sluice_v1_RoundAbandonedEvent, _sluice_v1_RoundAbandonedEvent__Output>
      RoundDurations: MessageTypeDefinition<_sluice_v1_RoundDurations, _sluice_v1_RoundDurations__Output>
      RoundPlannedEvent: MessageTypeDefinition<_sluice_v1_RoundPlannedEvent, _sluice_v1_RoundPlannedEvent__Output>
      RoundPublishedEvent: MessageTypeDefinition<_sluice_v1_RoundPublishedEvent, _sluice_v1_RoundPublishedEvent__Output>
      Signature: MessageTypeDefinition<_sluice_v1_Signature, _sluice_v1_Signature__Output>
      SubmitJobRequest: MessageTypeDefinition<_sluice_v1_SubmitJobRequest, _sluice_v1_SubmitJobRequest__Output>
      SubmitJobResponse: MessageTypeDefinition<_sluice_v1_SubmitJobResponse, _sluice_v1_SubmitJobResponse__Output>
      WatchJobRequest: MessageTypeDefinition<_sluice_v1_WatchJobRequest, _sluice_v1_WatchJobRequest__Output>
    }
  }
}

