// Original file: proto/sluice/v1/trainer.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { DescribeTrainerRequest as _sluice_v1_DescribeTrainerRequest, DescribeTrainerRequest__Output as _sluice_v1_DescribeTrainerRequest__Output } from '../../sluice/v1/DescribeTrainerRequest.ts';
import type { EvaluateRequest as _sluice_v1_EvaluateRequest, EvaluateRequest__Output as _sluice_v1_EvaluateRequest__Output } from '../../sluice/v1/EvaluateRequest.ts';
import type { EvaluateResponse as _sluice_v1_EvaluateResponse, EvaluateResponse__Output as _sluice_v1_EvaluateResponse__Output } from '../../sluice/v1/EvaluateResponse.ts';
import type { TrainRequest as _sluice_v1_TrainRequest, TrainRequest__Output as _sluice_v1_TrainRequest__Output } from '../../sluice/v1/TrainRequest.ts';
import type { TrainResponse as _sluice_v1_TrainResponse, TrainResponse__Output as _sluice_v1_TrainResponse__Output } from '../../sluice/v1/TrainResponse.ts';
import type { TrainerDescription as _sluice_v1_TrainerDescription, TrainerDescription__Output as _sluice_v1_TrainerDescription__Output } from '../../sluice/v1/TrainerDescription.ts';

export interface TrainerClient extends grpc.Client {
  Describe(argument: _sluice_v1_DescribeTrainerRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _sluice_v1_DescribeTrainerRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _sluice_v1_DescribeTrainerRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  Describe(argument: _sluice_v1_DescribeTrainerRequest, callback: grpc.requestCallback<_sluice_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _sluice_v1_DescribeTrainerRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _sluice_v1_DescribeTrainerRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _sluice_v1_DescribeTrainerRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  describe(argument: _sluice_v1_DescribeTrainerRequest, callback: grpc.requestCallback<_sluice_v1_TrainerDescription__Output>): grpc.ClientUnaryCall;
  
  Evaluate(argument: _sluice_v1_EvaluateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_EvaluateResponse__Output>): grpc.ClientUnaryCall;
  Evaluate(argument: _sluice_v1_EvaluateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_EvaluateResponse__Output>): grpc.ClientUnaryCall;
  Evaluate(argument: _sluice_v1_EvaluateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_EvaluateResponse__Output>): grpc.ClientUnaryCall;
  Evaluate(argument: _sluice_v1_EvaluateRequest, callback: grpc.requestCallback<_sluice_v1_EvaluateResponse__Output>): grpc.ClientUnaryCall;
  evaluate(argument: _sluice_v1_EvaluateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_EvaluateResponse__Output>): grpc.ClientUnaryCall;
  evaluate(argument: _sluice_v1_EvaluateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_EvaluateResponse__Output>): grpc.ClientUnaryCall;
  evaluate(argument: _sluice_v1_EvaluateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_EvaluateResponse__Output>): grpc.ClientUnaryCall;
  evaluate(argument: _sluice_v1_EvaluateRequest, callback: grpc.requestCallback<_sluice_v1_EvaluateResponse__Output>): grpc.ClientUnaryCall;
  
  Train(argument: _sluice_v1_TrainRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_TrainResponse__Output>): grpc.ClientUnaryCall;
  Train(argument: _sluice_v1_TrainRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_TrainResponse__Output>): grpc.ClientUnaryCall;
  Train(argument: _sluice_v1_TrainRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_TrainResponse__Output>): grpc.ClientUnaryCall;
  Train(argument: _sluice_v1_TrainRequest, callback: grpc.requestCallback<_sluice_v1_TrainResponse__Output>): grpc.ClientUnaryCall;
  train(argument: _sluice_v1_TrainRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_TrainResponse__Output>): grpc.ClientUnaryCall;
  train(argument: _sluice_v1_TrainRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_TrainResponse__Output>): grpc.ClientUnaryCall;
  train(argument: _sluice_v1_TrainRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_TrainResponse__Output>): grpc.ClientUnaryCall;
  train(argument: _sluice_v1_TrainRequest, callback: grpc.requestCallback<_sluice_v1_TrainResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface TrainerHandlers extends grpc.UntypedServiceImplementation {
  Describe: grpc.handleUnaryCall<_sluice_v1_DescribeTrainerRequest__Output, _sluice_v1_TrainerDescription>;
  
  Evaluate: grpc.handleUnaryCall<_sluice_v1_EvaluateRequest__Output, _sluice_v1_EvaluateResponse>;
  
  Train: grpc.handleUnaryCall<_sluice_v1_TrainRequest__Output, _sluice_v1_TrainResponse>;
  
}

export interface TrainerDefinition extends grpc.ServiceDefinition {
  Describe: MethodDefinition<_sluice_v1_DescribeTrainerRequest, _sluice_v1_TrainerDescription, _sluice_v1_DescribeTrainerRequest__Output, _sluice_v1_TrainerDescription__Output>
  Evaluate: MethodDefinition<_sluice_v1_EvaluateRequest, _sluice_v1_EvaluateResponse, _sluice_v1_EvaluateRequest__Output, _sluice_v1_EvaluateResponse__Output>
  Train: MethodDefinition<_sluice_v1_TrainRequest, _sluice_v1_TrainResponse, _sluice_v1_TrainRequest__Output, _sluice_v1_TrainResponse__Output>
}
