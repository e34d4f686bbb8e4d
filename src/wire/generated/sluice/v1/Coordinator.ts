// Original file: proto/sluice/v1/coordinator.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ArtifactChunk as _sluice_v1_ArtifactChunk, ArtifactChunk__Output as _sluice_v1_ArtifactChunk__Output } from '../../sluice/v1/ArtifactChunk.ts';
import type { CoordinatorMessage as _sluice_v1_CoordinatorMessage, CoordinatorMessage__Output as _sluice_v1_CoordinatorMessage__Output } from '../../sluice/v1/CoordinatorMessage.ts';
import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';
import type { FetchArtifactRequest as _sluice_v1_FetchArtifactRequest, FetchArtifactRequest__Output as _sluice_v1_FetchArtifactRequest__Output } from '../../sluice/v1/FetchArtifactRequest.ts';
import type { FetchContributionsRequest as _sluice_v1_FetchContributionsRequest, FetchContributionsRequest__Output as _sluice_v1_FetchContributionsRequest__Output } from '../../sluice/v1/FetchContributionsRequest.ts';
import type { FetchOpeningRequest as _sluice_v1_FetchOpeningRequest, FetchOpeningRequest__Output as _sluice_v1_FetchOpeningRequest__Output } from '../../sluice/v1/FetchOpeningRequest.ts';
import type { FetchRegistryRequest as _sluice_v1_FetchRegistryRequest, FetchRegistryRequest__Output as _sluice_v1_FetchRegistryRequest__Output } from '../../sluice/v1/FetchRegistryRequest.ts';
import type { HolderMessage as _sluice_v1_HolderMessage, HolderMessage__Output as _sluice_v1_HolderMessage__Output } from '../../sluice/v1/HolderMessage.ts';
import type { IssuedCertificate as _sluice_v1_IssuedCertificate, IssuedCertificate__Output as _sluice_v1_IssuedCertificate__Output } from '../../sluice/v1/IssuedCertificate.ts';
import type { RenewCertificateRequest as _sluice_v1_RenewCertificateRequest, RenewCertificateRequest__Output as _sluice_v1_RenewCertificateRequest__Output } from '../../sluice/v1/RenewCertificateRequest.ts';
import type { UploadPayloadRequest as _sluice_v1_UploadPayloadRequest, UploadPayloadRequest__Output as _sluice_v1_UploadPayloadRequest__Output } from '../../sluice/v1/UploadPayloadRequest.ts';
import type { UploadPayloadResponse as _sluice_v1_UploadPayloadResponse, UploadPayloadResponse__Output as _sluice_v1_UploadPayloadResponse__Output } from '../../sluice/v1/UploadPayloadResponse.ts';

/**
 * For holders. A holder opens no port: it dials, keeps Attend open and answers what comes down the stream.
 * 
 * Refusals of single messages travel as Refusal. A call fails with a gRPC status only when it cannot go on:
 * UNAUTHENTICATED (no certificate), PERMISSION_DENIED (a certificate that is not admitted), INVALID_ARGUMENT (bytes out of
 * form), RESOURCE_EXHAUSTED (over a limit), NOT_FOUND, UNAVAILABLE (try again). The details begin with a code and a colon.
 */
export interface CoordinatorClient extends grpc.Client {
  Attend(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_sluice_v1_HolderMessage, _sluice_v1_CoordinatorMessage__Output>;
  Attend(options?: grpc.CallOptions): grpc.ClientDuplexStream<_sluice_v1_HolderMessage, _sluice_v1_CoordinatorMessage__Output>;
  attend(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_sluice_v1_HolderMessage, _sluice_v1_CoordinatorMessage__Output>;
  attend(options?: grpc.CallOptions): grpc.ClientDuplexStream<_sluice_v1_HolderMessage, _sluice_v1_CoordinatorMessage__Output>;
  
  /**
   * The bytes of an input of a plan.
   */
  FetchArtifact(argument: _sluice_v1_FetchArtifactRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_ArtifactChunk__Output>;
  FetchArtifact(argument: _sluice_v1_FetchArtifactRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_ArtifactChunk__Output>;
  /**
   * The bytes of an input of a plan.
   */
  fetchArtifact(argument: _sluice_v1_FetchArtifactRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_ArtifactChunk__Output>;
  fetchArtifact(argument: _sluice_v1_FetchArtifactRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_ArtifactChunk__Output>;
  
  /**
   * The contributions that a sealed round's manifest names, for the members of its committee.
   */
  FetchContributions(argument: _sluice_v1_FetchContributionsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_Envelope__Output>;
  FetchContributions(argument: _sluice_v1_FetchContributionsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_Envelope__Output>;
  /**
   * The contributions that a sealed round's manifest names, for the members of its committee.
   */
  fetchContributions(argument: _sluice_v1_FetchContributionsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_Envelope__Output>;
  fetchContributions(argument: _sluice_v1_FetchContributionsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_Envelope__Output>;
  
  /**
   * What a published round's sum was opened from, for the holders of its cohort: see ADR 0011.
   */
  FetchOpening(argument: _sluice_v1_FetchOpeningRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_ArtifactChunk__Output>;
  FetchOpening(argument: _sluice_v1_FetchOpeningRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_ArtifactChunk__Output>;
  /**
   * What a published round's sum was opened from, for the holders of its cohort: see ADR 0011.
   */
  fetchOpening(argument: _sluice_v1_FetchOpeningRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_ArtifactChunk__Output>;
  fetchOpening(argument: _sluice_v1_FetchOpeningRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_ArtifactChunk__Output>;
  
  /**
   * The registry statements after a sequence number, in order.
   */
  FetchRegistry(argument: _sluice_v1_FetchRegistryRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_Envelope__Output>;
  FetchRegistry(argument: _sluice_v1_FetchRegistryRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_Envelope__Output>;
  /**
   * The registry statements after a sequence number, in order.
   */
  fetchRegistry(argument: _sluice_v1_FetchRegistryRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_Envelope__Output>;
  fetchRegistry(argument: _sluice_v1_FetchRegistryRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_sluice_v1_Envelope__Output>;
  
  /**
   * A new certificate for the caller's own identity and a key that the caller made.
   */
  RenewCertificate(argument: _sluice_v1_RenewCertificateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_IssuedCertificate__Output>): grpc.ClientUnaryCall;
  RenewCertificate(argument: _sluice_v1_RenewCertificateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_IssuedCertificate__Output>): grpc.ClientUnaryCall;
  RenewCertificate(argument: _sluice_v1_RenewCertificateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_IssuedCertificate__Output>): grpc.ClientUnaryCall;
  RenewCertificate(argument: _sluice_v1_RenewCertificateRequest, callback: grpc.requestCallback<_sluice_v1_IssuedCertificate__Output>): grpc.ClientUnaryCall;
  /**
   * A new certificate for the caller's own identity and a key that the caller made.
   */
  renewCertificate(argument: _sluice_v1_RenewCertificateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_IssuedCertificate__Output>): grpc.ClientUnaryCall;
  renewCertificate(argument: _sluice_v1_RenewCertificateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_sluice_v1_IssuedCertificate__Output>): grpc.ClientUnaryCall;
  renewCertificate(argument: _sluice_v1_RenewCertificateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_sluice_v1_IssuedCertificate__Output>): grpc.ClientUnaryCall;
  renewCertificate(argument: _sluice_v1_RenewCertificateRequest, callback: grpc.requestCallback<_sluice_v1_IssuedCertificate__Output>): grpc.ClientUnaryCall;
  
  /**
   * The ciphertext of one contribution, before the contribution itself is sent on Attend: a dialogue that may be cut and
   * begun again (ADR 0014). The holder names the plan; the coordinator says what it has; the holder goes on from there and
   * ends; what has become durable is acknowledged meanwhile, and the whole at last. Who asks again for a whole one is told so.
   */
  UploadPayload(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_sluice_v1_UploadPayloadRequest, _sluice_v1_UploadPayloadResponse__Output>;
  UploadPayload(options?: grpc.CallOptions): grpc.ClientDuplexStream<_sluice_v1_UploadPayloadRequest, _sluice_v1_UploadPayloadResponse__Output>;
  /**
   * The ciphertext of one contribution, before the contribution itself is sent on Attend: a dialogue that may be cut and
   * begun again (ADR 0014). The holder names the plan; the coordinator says what it has; the holder goes on from there and
   * ends; what has become durable is acknowledged meanwhile, and the whole at last. Who asks again for a whole one is told so.
   */
  uploadPayload(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_sluice_v1_UploadPayloadRequest, _sluice_v1_UploadPayloadResponse__Output>;
  uploadPayload(options?: grpc.CallOptions): grpc.ClientDuplexStream<_sluice_v1_UploadPayloadRequest, _sluice_v1_UploadPayloadResponse__Output>;
  
}

/**
 * For holders. A holder opens no port: it dials, keeps Attend open and answers what comes down the stream.
 * 
 * Refusals of single messages travel as Refusal. A call fails with a gRPC status only when it cannot go on:
 * UNAUTHENTICATED (no certificate), PERMISSION_DENIED (a certificate that is not admitted), INVALID_ARGUMENT (bytes out of
 * form), RESOURCE_EXHAUSTED (over a limit), NOT_FOUND, UNAVAILABLE (try again). The details begin with a code and a colon.
 */
export interface CoordinatorHandlers extends grpc.UntypedServiceImplementation {
  Attend: grpc.handleBidiStreamingCall<_sluice_v1_HolderMessage__Output, _sluice_v1_CoordinatorMessage>;
  
  /**
   * The bytes of an input of a plan.
   */
  FetchArtifact: grpc.handleServerStreamingCall<_sluice_v1_FetchArtifactRequest__Output, _sluice_v1_ArtifactChunk>;
  
  /**
   * The contributions that a sealed round's manifest names, for the members of its committee.
   */
  FetchContributions: grpc.handleServerStreamingCall<_sluice_v1_FetchContributionsRequest__Output, _sluice_v1_Envelope>;
  
  /**
   * What a published round's sum was opened from, for the holders of its cohort: see ADR 0011.
   */
  FetchOpening: grpc.handleServerStreamingCall<_sluice_v1_FetchOpeningRequest__Output, _sluice_v1_ArtifactChunk>;
  
  /**
   * The registry statements after a sequence number, in order.
   */
  FetchRegistry: grpc.handleServerStreamingCall<_sluice_v1_FetchRegistryRequest__Output, _sluice_v1_Envelope>;
  
  /**
   * A new certificate for the caller's own identity and a key that the caller made.
   */
  RenewCertificate: grpc.handleUnaryCall<_sluice_v1_RenewCertificateRequest__Output, _sluice_v1_IssuedCertificate>;
  
  /**
   * The ciphertext of one contribution, before the contribution itself is sent on Attend: a dialogue that may be cut and
   * begun again (ADR 0014). The holder names the plan; the coordinator says what it has; the holder goes on from there and
   * ends; what has become durable is acknowledged meanwhile, and the whole at last. Who asks again for a whole one is told so.
   */
  UploadPayload: grpc.handleBidiStreamingCall<_sluice_v1_UploadPayloadRequest__Output, _sluice_v1_UploadPayloadResponse>;
  
}

export interface CoordinatorDefinition extends grpc.ServiceDefinition {
  Attend: MethodDefinition<_sluice_v1_HolderMessage, _sluice_v1_CoordinatorMessage, _sluice_v1_HolderMessage__Output, _sluice_v1_CoordinatorMessage__Output>
  FetchArtifact: MethodDefinition<_sluice_v1_FetchArtifactRequest, _sluice_v1_ArtifactChunk, _sluice_v1_FetchArtifactRequest__Output, _sluice_v1_ArtifactChunk__Output>
  FetchContributions: MethodDefinition<_sluice_v1_FetchContributionsRequest, _sluice_v1_Envelope, _sluice_v1_FetchContributionsRequest__Output, _sluice_v1_Envelope__Output>
  FetchOpening: MethodDefinition<_sluice_v1_FetchOpeningRequest, _sluice_v1_ArtifactChunk, _sluice_v1_FetchOpeningRequest__Output, _sluice_v1_ArtifactChunk__Output>
  FetchRegistry: MethodDefinition<_sluice_v1_FetchRegistryRequest, _sluice_v1_Envelope, _sluice_v1_FetchRegistryRequest__Output, _sluice_v1_Envelope__Output>
  RenewCertificate: MethodDefinition<_sluice_v1_RenewCertificateRequest, _sluice_v1_IssuedCertificate, _sluice_v1_RenewCertificateRequest__Output, _sluice_v1_IssuedCertificate__Output>
  UploadPayload: MethodDefinition<_sluice_v1_UploadPayloadRequest, _sluice_v1_UploadPayloadResponse, _sluice_v1_UploadPayloadRequest__Output, _sluice_v1_UploadPayloadResponse__Output>
}
