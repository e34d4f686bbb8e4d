// Original file: proto/sluice/v1/coordinator.proto

import type { ContributeRequest as _sluice_v1_ContributeRequest, ContributeRequest__Output as _sluice_v1_ContributeRequest__Output } from '../../sluice/v1/ContributeRequest.ts';
import type { EndorseRequest as _sluice_v1_EndorseRequest, EndorseRequest__Output as _sluice_v1_EndorseRequest__Output } from '../../sluice/v1/EndorseRequest.ts';
import type { AnswerRequest as _sluice_v1_AnswerRequest, AnswerRequest__Output as _sluice_v1_AnswerRequest__Output } from '../../sluice/v1/AnswerRequest.ts';
import type { PublishedNotice as _sluice_v1_PublishedNotice, PublishedNotice__Output as _sluice_v1_PublishedNotice__Output } from '../../sluice/v1/PublishedNotice.ts';

export interface Request {
  'requestId'?: (string);
  'contribute'?: (_sluice_v1_ContributeRequest | null);
  'endorse'?: (_sluice_v1_EndorseRequest | null);
  'answer'?: (_sluice_v1_AnswerRequest | null);
  'published'?: (_sluice_v1_PublishedNotice | null);
  'request'?: "contribute"|"endorse"|"answer"|"published";
}

export interface Request__Output {
  'requestId': (string);
  'contribute'?: (_sluice_v1_ContributeRequest__Output | null);
  'endorse'?: (_sluice_v1_EndorseRequest__Output | null);
  'answer'?: (_sluice_v1_AnswerRequest__Output | null);
  'published'?: (_sluice_v1_PublishedNotice__Output | null);
  'request'?: "contribute"|"endorse"|"answer"|"published";
}
