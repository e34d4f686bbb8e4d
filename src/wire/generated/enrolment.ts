import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { AbandonRequest as _sluice_v1_AbandonRequest, AbandonRequest__Output as _sluice_v1_AbandonRequest__Output } from './sluice/v1/AbandonRequest.ts';
import type { AdmitRequest as _sluice_v1_AdmitRequest, AdmitRequest__Output as _sluice_v1_AdmitRequest__Output } from './sluice/v1/AdmitRequest.ts';
import type { AnswerRequest as _sluice_v1_AnswerRequest, AnswerRequest__Output as _sluice_v1_AnswerRequest__Output } from './sluice/v1/AnswerRequest.ts';
import type { ArtifactChunk as _sluice_v1_ArtifactChunk, ArtifactChunk__Output as _sluice_v1_ArtifactChunk__Output } from './sluice/v1/ArtifactChunk.ts';
import type { CheckSharesRequest as _sluice_v1_CheckSharesRequest, CheckSharesRequest__Output as _sluice_v1_CheckSharesRequest__Output } from './sluice/v1/CheckSharesRequest.ts';
import type { ContributeRequest as _sluice_v1_ContributeRequest, ContributeRequest__Output as _sluice_v1_ContributeRequest__Output } from './sluice/v1/ContributeRequest.ts';
import type { ContributionReply as _sluice_v1_ContributionReply, ContributionReply__Output as _sluice_v1_ContributionReply__Output } from './sluice/v1/ContributionReply.ts';
import type { CoordinatorClient as _sluice_v1_CoordinatorClient, CoordinatorDefinition as _sluice_v1_CoordinatorDefinition } from './sluice/v1/Coordinator.ts';
import type { CoordinatorMessage as _sluice_v1_CoordinatorMessage, CoordinatorMessage__Output as _sluice_v1_CoordinatorMessage__Output } from './sluice/v1/CoordinatorMessage.ts';
import type { CosignRequest as _sluice_v1_CosignRequest, CosignRequest__Output as _sluice_v1_CosignRequest__Output } from './sluice/v1/CosignRequest.ts';
import type { EndorseRequest as _sluice_v1_EndorseRequest, EndorseRequest__Output as _sluice_v1_EndorseRequest__Output } from './sluice/v1/EndorseRequest.ts';
import type { EnrolRequest as _sluice_v1_EnrolRequest, EnrolRequest__Output as _sluice_v1_EnrolRequest__Output } from './sluice/v1/EnrolRequest.ts';
import type { EnrolResponse as _sluice_v1_EnrolResponse, EnrolResponse__Output as _sluice_v1_EnrolResponse__Output } from './sluice/v1/EnrolResponse.ts';
import type { EnrolmentClient as _sluice_v1_EnrolmentClient, EnrolmentDefinition as _sluice_v1_EnrolmentDefinition } from './sluice/v1/Enrolment.ts';
import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from './sluice/v1/Envelope.ts';
import type { ExplainSharesRequest as _sluice_v1_ExplainSharesRequest, ExplainSharesRequest__Output as _sluice_v1_ExplainSharesRequest__Output } from './sluice/v1/ExplainSharesRequest.ts';
import type { FetchArtifactRequest as _sluice_v1_FetchArtifactRequest, FetchArtifactRequest__Output as _sluice_v1_FetchArtifactRequest__Output } from './sluice/v1/FetchArtifactRequest.ts';
import type { FetchContributionsRequest as _sluice_v1_FetchContributionsRequest, FetchContributionsRequest__Output as _sluice_v1_FetchContributionsRequest__Output } from './sluice/v1/FetchContributionsRequest.ts';
import type { FetchOpeningRequest as _sluice_v1_FetchOpeningRequest, FetchOpeningRequest__Output as _sluice_v1_FetchOpeningRequest__Output } from './sluice/v1/FetchOpeningRequest.ts';
import type { FetchRegistryRequest as _sluice_v1_FetchRegistryRequest, FetchRegistryRequest__Output as _sluice_v1_FetchRegistryRequest__Output } from './sluice/v1/FetchRegistryRequest.ts';
import type { HashPayloadRequest as _sluice_v1_HashPayloadRequest, HashPayloadRequest__Output as _sluice_v1_HashPayloadRequest__Output } from './sluice/v1/HashPayloadRequest.ts';
import type { Hello as _sluice_v1_Hello, Hello__Output as _sluice_v1_Hello__Output } from './sluice/v1/Hello.ts';
import type { HolderMessage as _sluice_v1_HolderMessage, HolderMessage__Output as _sluice_v1_HolderMessage__Output } from './sluice/v1/HolderMessage.ts';
import type { IssuedCertificate as _sluice_v1_IssuedCertificate, IssuedCertificate__Output as _sluice_v1_IssuedCertificate__Output } from './sluice/v1/IssuedCertificate.ts';
import type { LogCheckpoint as _sluice_v1_LogCheckpoint, LogCheckpoint__Output as _sluice_v1_LogCheckpoint__Output } from './sluice/v1/LogCheckpoint.ts';
import type { LogRange as _sluice_v1_LogRange, LogRange__Output as _sluice_v1_LogRange__Output } from './sluice/v1/LogRange.ts';
import type { LoggedStatement as _sluice_v1_LoggedStatement, LoggedStatement__Output as _sluice_v1_LoggedStatement__Output } from './sluice/v1/LoggedStatement.ts';
import type { Noted as _sluice_v1_Noted, Noted__Output as _sluice_v1_Noted__Output } from './sluice/v1/Noted.ts';
import type { PublishedNotice as _sluice_v1_PublishedNotice, PublishedNotice__Output as _sluice_v1_PublishedNotice__Output } from './sluice/v1/PublishedNotice.ts';
import type { Refusal as _sluice_v1_Refusal, Refusal__Output as _sluice_v1_Refusal__Output } from './sluice/v1/Refusal.ts';
import type { RenewCertificateRequest as _sluice_v1_RenewCertificateRequest, RenewCertificateRequest__Output as _sluice_v1_RenewCertificateRequest__Output } from './sluice/v1/RenewCertificateRequest.ts';
import type { Reply as _sluice_v1_Reply, Reply__Output as _sluice_v1_Reply__Output } from './sluice/v1/Reply.ts';
import type { Request as _sluice_v1_Request, Request__Output as _sluice_v1_Request__Output } from './sluice/v1/Request.ts';
import type { Signature as _sluice_v1_Signature, Signature__Output as _sluice_v1_Signature__Output } from './sluice/v1/Signature.ts';
import type { StoredPayload as _sluice_v1_StoredPayload, StoredPayload__Output as _sluice_v1_StoredPayload__Output } from './sluice/v1/StoredPayload.ts';
import type { UploadHeader as _sluice_v1_UploadHeader, UploadHeader__Output as _sluice_v1_UploadHeader__Output } from './sluice/v1/UploadHeader.ts';
import type { UploadPayloadRequest as _sluice_v1_UploadPayloadRequest, UploadPayloadRequest__Output as _sluice_v1_UploadPayloadRequest__Output } from './sluice/v1/UploadPayloadRequest.ts';
import type { UploadPayloadResponse as _sluice_v1_UploadPayloadResponse, UploadPayloadResponse__Output as _sluice_v1_UploadPayloadResponse__Output } from './sluice/v1/UploadPayloadResponse.ts';
import type { UploadPosition as _sluice_v1_UploadPosition, UploadPosition__Output as _sluice_v1_UploadPosition__Output } from './sluice/v1/UploadPosition.ts';
import type { Welcome as _sluice_v1_Welcome, Welcome__Output as _sluice_v1_Welcome__Output } from './sluice/v1/Welcome.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  sluice: {
    v1: {
      AbandonRequest: MessageTypeDefinition<_sluice_v1_AbandonRequest, _sluice_v1_AbandonRequest__Output>
      AdmitRequest: MessageTypeDefinition<_sluice_v1_AdmitRequest, _sluice_v1_AdmitRequest__Output>
      AnswerRequest: MessageTypeDefinition<_sluice_v1_AnswerRequest, _sluice_v1_AnswerRequest__Output>
      ArtifactChunk: MessageTypeDefinition<_sluice_v1_ArtifactChunk, _sluice_v1_ArtifactChunk__Output>
      CheckSharesRequest: MessageTypeDefinition<_sluice_v1_CheckSharesRequest, _sluice_v1_CheckSharesRequest__Output>
      ContributeRequest: MessageTypeDefinition<_sluice_v1_ContributeRequest, _sluice_v1_ContributeRequest__Output>
      ContributionReply: MessageTypeDefinition<_sluice_v1_ContributionReply, _sluice_v1_ContributionReply__Output>
      /**
       * For holders. A holder opens no port: it dials, keeps Attend open and answers what comes down the stream.
       * 
       * Refusals of single messages travel as Refusal. A call fails with a gRPC status only when it cannot go on:
       * UNAUTHENTICATED (no certificate), PERMISSION_DENIED (a certificate that is not admitted), INVALID_ARGUMENT (bytes out of
       * form), RESOURCE_EXHAUSTED (over a limit), NOT_FOUND, UNAVAILABLE (try again). The details begin with a code and a colon.
       */
      Coordinator: SubtypeConstructor<typeof grpc.Client, _sluice_v1_CoordinatorClient> & { service: _sluice_v1_CoordinatorDefinition }
      CoordinatorMessage: MessageTypeDefinition<_sluice_v1_CoordinatorMessage, _sluice_v1_CoordinatorMessage__Output>
      CosignRequest: MessageTypeDefinition<_sluice_v1_CosignRequest, _sluice_v1_CosignRequest__Output>
      EndorseRequest: MessageTypeDefinition<_sluice_v1_EndorseRequest, _sluice_v1_EndorseRequest__Output>
      EnrolRequest: MessageTypeDefinition<_sluice_v1_EnrolRequest, _sluice_v1_EnrolRequest__Output>
      EnrolResponse: MessageTypeDefinition<_sluice_v1_EnrolResponse, _sluice_v1_EnrolResponse__Output>
      Enrolment: SubtypeConstructor<typeof grpc.Client, _sluice_v1_EnrolmentClient> & { service: _sluice_v1_EnrolmentDefinition }
      Envelope: MessageTypeDefinition<_sluice_v1_Envelope, _sluice_v1_Envelope__Output>
      ExplainSharesRequest: MessageTypeDefinition<_sluice_v1_ExplainSharesRequest, _sluice_v1_ExplainSharesRequest__Output>
      FetchArtifactRequest: MessageTypeDefinition<_sluice_v1_FetchArtifactRequest, _sluice_v1_FetchArtifactRequest__Output>
      FetchContributionsRequest: MessageTypeDefinition<_sluice_v1_FetchContributionsRequest, _sluice_v1_FetchContributionsRequest__Output>
      FetchOpeningRequest: MessageTypeDefinition<_sluice_v1_FetchOpeningRequest, _sluice_v1_FetchOpeningRequest__Output>
      FetchRegistryRequest: MessageTypeDefinition<_sluice_v1_FetchRegistryRequest, _sluice_v1_FetchRegistryRequest__Output>
      HashPayloadRequest: MessageTypeDefinition<_sluice_v1_HashPayloadRequest, _sluice_v1_HashPayloadRequest__Output>
      Hello: MessageTypeDefinition<_sluice_v1_Hello, _sluice_v1_Hello__Output>
      HolderMessage: MessageTypeDefinition<_sluice_v1_HolderMessage, _sluice_v1_HolderMessage__Output>
      IssuedCertificate: MessageTypeDefinition<_sluice_v1_IssuedCertificate, _sluice_v1_IssuedCertificate__Output>
      LogCheckpoint: MessageTypeDefinition<_sluice_v1_LogCheckpoint, _sluice_v1_LogCheckpoint__Output>
      LogRange: MessageTypeDefinition<_sluice_v1_LogRange, _sluice_v1_LogRange__Output>
      LoggedStatement: MessageTypeDefinition<_sluice_v1_LoggedStatement, _sluice_v1_LoggedStatement__Output>
      Noted: MessageTypeDefinition<_sluice_v1_Noted, _sluice_v1_Noted__Output>
      PublishedNotice: MessageTypeDefinition<_sluice_v1_PublishedNotice, _sluice_v1_PublishedNotice__Output>
      Refusal: MessageTypeDefinition<_sluice_v1_Refusal, _sluice_v1_Refusal__Output>
      RenewCertificateRequest: MessageTypeDefinition<_sluice_v1_RenewCertificateRequest, _sluice_v1_RenewCertificateRequest__Output>
      Reply: MessageTypeDefinition<_sluice_v1_Reply, _sluice_v1_Reply__Output>
      Request: MessageTypeDefinition<_sluice_v1_Request, _sluice_v1_Request__Output>
      Signature: MessageTypeDefinition<_sluice_v1_Signature, _sluice_v1_Signature__Output>
      StoredPayload: MessageTypeDefinition<_sluice_v1_StoredPayload, _sluice_v1_StoredPayload__Output>
      UploadHeader: MessageTypeDefinition<_sluice_v1_UploadHeader, _sluice_v1_UploadHeader__Output>
      UploadPayloadRequest: MessageTypeDefinition<_sluice_v1_UploadPayloadRequest, _sluice_v1_UploadPayloadRequest__Output>
      UploadPayloadResponse: MessageTypeDefinition<_sluice_v1_UploadPayloadResponse, _sluice_v1_UploadPayloadResponse__Output>
      UploadPosition: MessageTypeDefinition<_sluice_v1_UploadPosition, _sluice_v1_UploadPosition__Output>
      Welcome: MessageTypeDefinition<_sluice_v1_Welcome, _sluice_v1_Welcome__Output>
    }
  }
}

