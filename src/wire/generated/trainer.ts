import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { DescribeTrainerRequest as _sluice_v1_DescribeTrainerRequest, DescribeTrainerRequest__Output as _sluice_v1_DescribeTrainerRequest__Output } from './sluice/v1/DescribeTrainerRequest.ts';
import type { EvaluateRequest as _sluice_v1_EvaluateRequest, EvaluateRequest__Output as _sluice_v1_EvaluateRequest__Output } from './sluice/v1/EvaluateRequest.ts';
import type { EvaluateResponse as _sluice_v1_EvaluateResponse, EvaluateResponse__Output as _sluice_v1_EvaluateResponse__Output } from './sluice/v1/EvaluateResponse.ts';
import type { Examples as _sluice_v1_Examples, Examples__Output as _sluice_v1_Examples__Output } from './sluice/v1/Examples.ts';
import type { TrainOptions as _sluice_v1_TrainOptions, TrainOptions__Output as _sluice_v1_TrainOptions__Output } from './sluice/v1/TrainOptions.ts';
import type { TrainRequest as _sluice_v1_TrainRequest, TrainRequest__Output as _sluice_v1_TrainRequest__Output } from './sluice/v1/TrainRequest.ts';
import type { TrainResponse as _sluice_v1_TrainResponse, TrainResponse__Output as _sluice_v1_TrainResponse__Output } from './sluice/v1/TrainResponse.ts';
import type { TrainerClient as _sluice_v1_TrainerClient, TrainerDefinition as _sluice_v1_TrainerDefinition } from './sluice/v1/Trainer.ts';
import type { TrainerDescription as _sluice_v1_TrainerDescription, TrainerDescription__Output as _sluice_v1_TrainerDescription__Output } from './sluice/v1/TrainerDescription.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  sluice: {
    v1: {
      DescribeTrainerRequest: MessageTypeDefinition<_sluice_v1_DescribeTrainerRequest, _sluice_v1_DescribeTrainerRequest__Output>
      EvaluateRequest: MessageTypeDefinition<_sluice_v1_EvaluateRequest, _sluice_v1_EvaluateRequest__Output>
      EvaluateResponse: MessageTypeDefinition<_sluice_v1_EvaluateResponse, _sluice_v1_EvaluateResponse__Output>
      Examples: MessageTypeDefinition<_sluice_v1_Examples, _sluice_v1_Examples__Output>
      TrainOptions: MessageTypeDefinition<_sluice_v1_TrainOptions, _sluice_v1_TrainOptions__Output>
      TrainRequest: MessageTypeDefinition<_sluice_v1_TrainRequest, _sluice_v1_TrainRequest__Output>
      TrainResponse: MessageTypeDefinition<_sluice_v1_TrainResponse, _sluice_v1_TrainResponse__Output>
      Trainer: SubtypeConstructor<typeof grpc.Client, _sluice_v1_TrainerClient> & { service: _sluice_v1_TrainerDefinition }
      TrainerDescription: MessageTypeDefinition<_sluice_v1_TrainerDescription, _sluice_v1_TrainerDescription__Output>
    }
  }
}

