// Original file: proto/sluice/v1/jobs.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CancelJobRequest as _sluice_v1_CancelJobRequest, CancelJobRequest__Output as _sluice_v1_CancelJobRequest__Output } from '../../sluice/v1/CancelJobRequest.ts';
import type { CancelJobResponse as _sluice_v1_CancelJobResponse, CancelJobResponse__Output as _sluice_v1_CancelJobResponse__Output } from '../../sluice/v1/CancelJobResponse.ts';
import type { FetchOutputRequest as _sluice_v1_FetchOutputRequest, FetchOutputRequest__Output as _sluice_v1_FetchOutputRequest__Output } from '../../sluice/v1/FetchOutputRequest.ts';
import type { JobEvent as _sluice_v1_JobEvent, JobEvent__Output as _sluice_v1_JobEvent__Output } from '../../sluice/v1/JobEvent.ts';
import type { JobResultRequest as _sluice_v1_JobResultRequest, JobResultRequest__Output as _sluice_v1_JobResultRequest__Output } from '../../sluice/v1/JobResultRequest.ts';
import type { JobResultResponse as _sluice_v1_JobResultResponse, JobResultResponse__Output as _sluice_v1_JobResultResponse__Output } from '../../sluice/v1/JobResultResponse.ts';
import type { ListJobsRequest as _sluice_v1_ListJobsRequest, ListJobsRequest__Output as _sluice_v1_ListJobsRequest__Output } from '../../sluice/v1/ListJobsRequest.ts';
import type { ListJobsResponse as _sluice_v1_ListJobsResponse, ListJobsResponse__Output as _sluice_v1_ListJobsResponse__Output } from '../../sluice/v1/ListJobsResponse.ts';
import type { OutputChunk as _sluice_v1_OutputChunk, OutputChunk__Output as _sluice_v1_OutputChunk__Output } from '../../sluice/v1/OutputChunk.ts';
import type { SubmitJobRequest as _sluice_v1_SubmitJobRequest, SubmitJobRequest__Output as _sluice_v1_SubmitJobRequest__Output } from '../../sluice/v1/SubmitJobRequest.ts';
import type { SubmitJobResponse as _sluice_v1_SubmitJobResponse, SubmitJobResponse__Output as _sluice_v1_SubmitJobResponse__Output } from '../../sluice/v1/SubmitJobResponse.ts';
import type { WatchJobRequest as _sluice_v1_WatchJobRequest, WatchJobRequest__Output as _sluice_v1_WatchJobRequest__Output } from '../../sluice/v1/WatchJobRequest.ts';

export interface JobsClient extends grpc.Client {
  Cancel(argument: _sluice_v1_CancelJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_CancelJobResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _sluice_v1_CancelJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_CancelJobResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _sluice_v1_CancelJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_CancelJobResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _sluice_v1_CancelJobRequest, callback: grpc.requestCallback<_sluice_v1_CancelJobResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _sluice_v1_CancelJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_CancelJobResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _sluice_v1_CancelJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_CancelJobResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _sluice_v1_CancelJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_CancelJobResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _sluice_v1_CancelJobRequest, callback: grpc.requestCallback<_sluice_v1_CancelJobResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * The bytes of an output of a job.
   */
  FetchOutput(argument: _sluice_v1_FetchOutputRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_OutputChunk__Output>;
  FetchOutput(argument: _sluice_v1_FetchOutputRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_OutputChunk__Output>;
  /**
   * The bytes of an output of a job.
   */
  fetchOutput(argument: _sluice_v1_FetchOutputRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_OutputChunk__Output>;
  fetchOutput(argument: _sluice_v1_FetchOutputRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_OutputChunk__Output>;
  
  List(argument: _sluice_v1_ListJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  List(argument: _sluice_v1_ListJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  List(argument: _sluice_v1_ListJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  List(argument: _sluice_v1_ListJobsRequest, callback: grpc.requestCallback<_sluice_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  list(argument: _sluice_v1_ListJobsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  list(argument: _sluice_v1_ListJobsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  list(argument: _sluice_v1_ListJobsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  list(argument: _sluice_v1_ListJobsRequest, callback: grpc.requestCallback<_sluice_v1_ListJobsResponse__Output>): grpc.ClientUnaryCall;
  
  Result(argument: _sluice_v1_JobResultRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_JobResultResponse__Output>): grpc.ClientUnaryCall;
  Result(argument: _sluice_v1_JobResultRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_JobResultResponse__Output>): grpc.ClientUnaryCall;
  Result(argument: _sluice_v1_JobResultRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_JobResultResponse__Output>): grpc.ClientUnaryCall;
  Result(argument: _sluice_v1_JobResultRequest, callback: grpc.requestCallback<_sluice_v1_JobResultResponse__Output>): grpc.ClientUnaryCall;
  result(argument: _sluice_v1_JobResultRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_JobResultResponse__Output>): grpc.ClientUnaryCall;
  result(argument: _sluice_v1_JobResultRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_JobResultResponse__Output>): grpc.ClientUnaryCall;
  result(argument: _sluice_v1_JobResultRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_JobResultResponse__Output>): grpc.ClientUnaryCall;
  result(argument: _sluice_v1_JobResultRequest, callback: grpc.requestCallback<_sluice_v1_JobResultResponse__Output>): grpc.ClientUnaryCall;
  
  Submit(argument: _sluice_v1_SubmitJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _sluice_v1_SubmitJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _sluice_v1_SubmitJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _sluice_v1_SubmitJobRequest, callback: grpc.requestCallback<_sluice_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _sluice_v1_SubmitJobRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _sluice_v1_SubmitJobRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _sluice_v1_SubmitJobRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _sluice_v1_SubmitJobRequest, callback: grpc.requestCallback<_sluice_v1_SubmitJobResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * All events of a job from after_sequence on, then new ones until the job ends.
   */
  Watch(argument: _sluice_v1_WatchJobRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_JobEvent__Output>;
  Watch(argument: _sluice_v1_WatchJobRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_JobEvent__Output>;
  /**
   * All events of a job from after_sequence on, then new ones until the job ends.
   */
  watch(argument: _sluice_v1_WatchJobRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_JobEvent__Output>;
  watch(argument: _sluice_v1_WatchJobRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_JobEvent__Output>;
  
}

export interface JobsHandlers extends grpc.UntypedServiceImplementation {
  Cancel: grpc.handleUnaryCall<_sluice_v1_CancelJobRequest__Output, _sluice_v1_CancelJobResponse>;
  
  /**
   * The bytes of an output of a job.
   */
  FetchOutput: grpc.handleServerStreamingCall<_sluice_v1_FetchOutputRequest__Output, _sluice_v1_OutputChunk>;
  
  List: grpc.handleUnaryCall<_sluice_v1_ListJobsRequest__Output, _sluice_v1_ListJobsResponse>;
  
  Result: grpc.handleUnaryCall<_sluice_v1_JobResultRequest__Output, _sluice_v1_JobResultResponse>;
  
  Submit: grpc.handleUnaryCall<_sluice_v1_SubmitJobRequest__Output, _sluice_v1_SubmitJobResponse>;
  
  /**
   * All events of a job from after_sequence on, then new ones until the job ends.
   */
  Watch: grpc.handleServerStreamingCall<_sluice_v1_WatchJobRequest__Output, _sluice_v1_JobEvent>;
  
}

export interface JobsDefinition extends grpc.ServiceDefinition {
  Cancel: MethodDefinition<_sluice_v1_CancelJobRequest, _sluice_v1_CancelJobResponse, _sluice_v1_CancelJobRequest__Output, _sluice_v1_CancelJobResponse__Output>
  FetchOutput: MethodDefinition<_sluice_v1_FetchOutputRequest, _sluice_v1_OutputChunk, _sluice_v1_FetchOutputRequest__Output, _sluice_v1_OutputChunk__Output>
  List: MethodDefinition<_sluice_v1_ListJobsRequest, _sluice_v1_ListJobsResponse, _sluice_v1_ListJobsRequest__Output, _sluice_v1_ListJobsResponse__Output>
  Result: MethodDefinition<_sluice_v1_JobResultRequest, _sluice_v1_JobResultResponse, _sluice_v1_JobResultRequest__Output, _sluice_v1_JobResultResponse__Output>
  Submit: MethodDefinition<_sluice_v1_SubmitJobRequest, _sluice_v1_SubmitJobResponse, _sluice_v1_SubmitJobRequest__Output, _sluice_v1_SubmitJobResponse__Output>
  Watch: MethodDefinition<_sluice_v1_WatchJobRequest, _sluice_v1_JobEvent, _sluice_v1_WatchJobRequest__Output, _sluice_v1_JobEvent__Output>
}
