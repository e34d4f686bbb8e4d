import { SluiceError } from '../../src/sluice-error.ts'

export type HolderErrorCode =
  | 'config-invalid'
  | 'identity-invalid'
  | 'journal-in-use'
  | 'journal-unreadable'
  /** Why this holder takes no part in a round, beyond the protocol's own refusals. */
  | 'job-mismatch'
  | 'layout-mismatch'
  | 'model-mismatch'
  | 'dataset-not-offered'
  | 'step-not-allowed'
  | 'dataset-uses-exhausted'
  | 'already-contributed'
  | 'plan-unknown'
  /** An operator names a request about the registry that does not wait for approval. */
  | 'request-unknown'
  | 'input-not-published'
  | 'sums-unverified'
  | 'ciphertext-not-kept'
  | 'outbox-unwritable'
  | 'opening-too-short'

/** What is wrong at a holder node. Codes travel to the coordinator, messages stay in the node's log. */
export class HolderError extends SluiceError<HolderErrorCode> {}
