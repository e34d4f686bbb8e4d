// Original file: proto/sluice/v1/trainer.proto


export interface DescribeTrainerRequest {
  'protocolVersion'?: (string);
}

export interface DescribeTrainerRequest__Output {
  'protocolVersion': (string);
}
