// Original file: proto/sluice/v1/coordinator.proto

import type { Hello as _sluice_v1_Hello, Hello__Output as _sluice_v1_Hello__Output } from '../../sluice/v1/Hello.ts';
import type { Reply as _sluice_v1_Reply, Reply__Output as _sluice_v1_Reply__Output } from '../../sluice/v1/Reply.ts';

export interface HolderMessage {
  'hello'?: (_sluice_v1_Hello | null);
  'reply'?: (_sluice_v1_Reply | null);
  'message'?: "hello"|"reply";
}

export interface HolderMessage__Output {
  'hello'?: (_sluice_v1_Hello__Output | null);
  'reply'?: (_sluice_v1_Reply__Output | null);
  'message'?: "hello"|"reply";
}
