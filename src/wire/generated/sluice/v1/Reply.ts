// Original file: proto/sluice/v1/coordinator.proto

import type { ContributionReply as _sluice_v1_ContributionReply, ContributionReply__Output as _sluice_v1_ContributionReply__Output } from '../../sluice/v1/ContributionReply.ts';
import type { Signature as _sluice_v1_Signature, Signature__Output as _sluice_v1_Signature__Output } from '../../sluice/v1/Signature.ts';
import type { Envelope as _sluice_v1_Envelope, Envelope__Output as _sluice_v1_Envelope__Output } from '../../sluice/v1/Envelope.ts';
import type { Noted as _sluice_v1_Noted, Noted__Output as _sluice_v1_Noted__Output } from '../../sluice/v1/Noted.ts';
import type { Refusal as _sluice_v1_Refusal, Refusal__Output as _sluice_v1_Refusal__Output } from '../../sluice/v1/Refusal.ts';

export interface Reply {
  /**
   * The id of the request that this answers.
   */
  'requestId'?: (string);
  'contribution'?: (_sluice_v1_ContributionReply | null);
  'endorsement'?: (_sluice_v1_Signature | null);
  'shareSum'?: (_sluice_v1_Envelope | null);
  'noted'?: (_sluice_v1_Noted | null);
  'refusal'?: (_sluice_v1_Refusal | null);
  /**
   * A signature line of tlog-cosignature.
   */
  'cosignature'?: (string);
  'shareCheck'?: (_sluice_v1_Envelope | null);
  'payloadHash'?: (_sluice_v1_Envelope | null);
  /**
   * The checkpoint does not start from the tree that the holder knows: its size, to ask again from.
   */
  'knownSize'?: (number | string);
  'dealing'?: (_sluice_v1_Envelope | null);
  'reply'?: "contribution"|"endorsement"|"shareSum"|"noted"|"refusal"|"cosignature"|"shareCheck"|"payloadHash"|"knownSize"|"dealing";
}

export interface Reply__Output {
  /**
   * The id of the request that this answers.
   */
  'requestId': (string);
  'contribution'?: (_sluice_v1_ContributionReply__Output | null);
  'endorsement'?: (_sluice_v1_Signature__Output | null);
  'shareSum'?: (_sluice_v1_Envelope__Output | null);
  'noted'?: (_sluice_v1_Noted__Output | null);
  'refusal'?: (_sluice_v1_Refusal__Output | null);
  /**
   * A signature line of tlog-cosignature.
   */
  'cosignature'?: (string);
  'shareCheck'?: (_sluice_v1_Envelope__Output | null);
  'payloadHash'?: (_sluice_v1_Envelope__Output | null);
  /**
   * The checkpoint does not start from the tree that the holder knows: its size, to ask again from.
   */
  'knownSize'?: (number);
  'dealing'?: (_sluice_v1_Envelope__Output | null);
  'reply'?: "contribution"|"endorsement"|"shareSum"|"noted"|"refusal"|"cosignature"|"shareCheck"|"payloadHash"|"knownSize"|"dealing";
}
