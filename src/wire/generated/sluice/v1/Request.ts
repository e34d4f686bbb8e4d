// Original file: proto/sluice/v1/coordinator.proto

import type { ContributeRequest as _sluice_v1_ContributeRequest, ContributeRequest__Output as _sluice_v1_ContributeRequest__Output } from '../../sluice/v1/ContributeRequest.ts';
import type { EndorseRequest as _sluice_v1_EndorseRequest, EndorseRequest__Output as _sluice_v1_EndorseRequest__Output } from '../../sluice/v1/EndorseRequest.ts';
import type { AnswerRequest as _sluice_v1_AnswerRequest, AnswerRequest__Output as _sluice_v1_AnswerRequest__Output } from '../../sluice/v1/AnswerRequest.ts';
import type { PublishedNotice as _sluice_v1_PublishedNotice, PublishedNotice__Output as _sluice_v1_PublishedNotice__Output } from '../../sluice/v1/PublishedNotice.ts';
import type { CosignRequest as _sluice_v1_CosignRequest, CosignRequest__Output as _sluice_v1_CosignRequest__Output } from '../../sluice/v1/CosignRequest.ts';
import type { CheckSharesRequest as _sluice_v1_CheckSharesRequest, CheckSharesRequest__Output as _sluice_v1_CheckSharesRequest__Output } from '../../sluice/v1/CheckSharesRequest.ts';
import type { HashPayloadRequest as _sluice_v1_HashPayloadRequest, HashPayloadRequest__Output as _sluice_v1_HashPayloadRequest__Output } from '../../sluice/v1/HashPayloadRequest.ts';
import type { AbandonRequest as _sluice_v1_AbandonRequest, AbandonRequest__Output as _sluice_v1_AbandonRequest__Output } from '../../sluice/v1/AbandonRequest.ts';
import type { AdmitRequest as _sluice_v1_AdmitRequest, AdmitRequest__Output as _sluice_v1_AdmitRequest__Output } from '../../sluice/v1/AdmitRequest.ts';
import type { ExplainSharesRequest as _sluice_v1_ExplainSharesRequest, ExplainSharesRequest__Output as _sluice_v1_ExplainSharesRequest__Output } from '../../sluice/v1/ExplainSharesRequest.ts';

export interface Request {
  'requestId'?: (string);
  'contribute'?: (_sluice_v1_ContributeRequest | null);
  'endorse'?: (_sluice_v1_EndorseRequest | null);
  'answer'?: (_sluice_v1_AnswerRequest | null);
  'published'?: (_sluice_v1_PublishedNotice | null);
  'cosign'?: (_sluice_v1_CosignRequest | null);
  'checkShares'?: (_sluice_v1_CheckSharesRequest | null);
  'hashPayload'?: (_sluice_v1_HashPayloadRequest | null);
  'abandon'?: (_sluice_v1_AbandonRequest | null);
  'admit'?: (_sluice_v1_AdmitRequest | null);
  'explainShares'?: (_sluice_v1_ExplainSharesRequest | null);
  /**
   * Where the coordinator's trace of the round goes on (W3C trace-context); absent when nobody traces. Nothing rests on it.
   */
  'traceparent'?: (string);
  'request'?: "contribute"|"endorse"|"answer"|"published"|"cosign"|"checkShares"|"hashPayload"|"abandon"|"admit"|"explainShares";
  '_traceparent'?: "traceparent";
}

export interface Request__Output {
  'requestId': (string);
  'contribute'?: (_sluice_v1_ContributeRequest__Output | null);
  'endorse'?: (_sluice_v1_EndorseRequest__Output | null);
  'answer'?: (_sluice_v1_AnswerRequest__Output | null);
  'published'?: (_sluice_v1_PublishedNotice__Output | null);
  'cosign'?: (_sluice_v1_CosignRequest__Output | null);
  'checkShares'?: (_sluice_v1_CheckSharesRequest__Output | null);
  'hashPayload'?: (_sluice_v1_HashPayloadRequest__Output | null);
  'abandon'?: (_sluice_v1_AbandonRequest__Output | null);
  'admit'?: (_sluice_v1_AdmitRequest__Output | null);
  'explainShares'?: (_sluice_v1_ExplainSharesRequest__Output | null);
  /**
   * Where the coordinator's trace of the round goes on (W3C trace-context); absent when nobody traces. Nothing rests on it.
   */
  'traceparent'?: (string);
  'request'?: "contribute"|"endorse"|"answer"|"published"|"cosign"|"checkShares"|"hashPayload"|"abandon"|"admit"|"explainShares";
  '_traceparent'?: "traceparent";
}
