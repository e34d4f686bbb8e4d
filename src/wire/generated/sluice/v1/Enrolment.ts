// Original file: proto/sluice/v1/enrolment.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { EnrolRequest as _sluice_v1_EnrolRequest, EnrolRequest__Output as _sluice_v1_EnrolRequest__Output } from '../../sluice/v1/EnrolRequest.ts';
import type { EnrolResponse as _sluice_v1_EnrolResponse, EnrolResponse__Output as _sluice_v1_EnrolResponse__Output } from '../../sluice/v1/EnrolResponse.ts';

export interface EnrolmentClient extends grpc.Client {
  /**
   * The same request again, after a lost answer, gets the same answer. Statuses as in Coordinator; codes: invite-unknown,
   * invite-expired, invite-used, enrolment-refused.
   */
  Enrol(argument: _sluice_v1_EnrolRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_EnrolResponse__Output>): grpc.ClientUnaryCall;
  Enrol(argument: _sluice_v1_EnrolRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_EnrolResponse__Output>): grpc.ClientUnaryCall;
  Enrol(argument: _sluice_v1_EnrolRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_EnrolResponse__Output>): grpc.ClientUnaryCall;
  Enrol(argument: _sluice_v1_EnrolRequest, callback: grpc.requestCallback<_sluice_v1_EnrolResponse__Output>): grpc.ClientUnaryCall;
  /**
   * The same request again, after a lost answer, gets the same answer. Statuses as in Coordinator; codes: invite-unknown,
   * invite-expired, invite-used, enrolment-refused.
   */
  enrol(argument: _sluice_v1_EnrolRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_EnrolResponse__Output>): grpc.ClientUnaryCall;
  enrol(argument: _sluice_v1_EnrolRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_EnrolResponse__Output>): grpc.ClientUnaryCall;
  enrol(argument: _sluice_v1_EnrolRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_EnrolResponse__Output>): grpc.ClientUnaryCall;
  enrol(argument: _sluice_v1_EnrolRequest, callback: grpc.requestCallback<_sluice_v1_EnrolResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface EnrolmentHandlers extends grpc.UntypedServiceImplementation {
  /**
   * The same request again, after a lost answer, gets the same answer. Statuses as in Coordinator; codes: invite-unknown,
   * invite-expired, invite-used, enrolment-refused.
   */
  Enrol: grpc.handleUnaryCall<_sluice_v1_EnrolRequest__Output, _sluice_v1_EnrolResponse>;
  
}

export interface EnrolmentDefinition extends grpc.ServiceDefinition {
  Enrol: MethodDefinition<_sluice_v1_EnrolRequest, _sluice_v1_EnrolResponse, _sluice_v1_EnrolRequest__Output, _sluice_v1_EnrolResponse__Output>
}
