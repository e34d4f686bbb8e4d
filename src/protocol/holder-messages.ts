import type { Digest } from '../crypto/digest.ts'
import type { Envelope, EnvelopeSignature } from '../crypto/envelope.ts'
import type { AddCheckpointRequest } from '../log/witness-wire.ts'
import type { LoggedStatement, RangeEvidence } from './round-log.ts'

/**
 * What a coordinator asks of a holder, over the stream that the holder has dialled (protocol §4, docs/adr/0009). `checkpoint`
 * continues the tree that the holder knows; `range` reaches from where the plan was made to the end of the checkpoint's tree.
 */
export type HolderRequest =
  | {
      readonly kind: 'contribute'
      readonly plan: Envelope
      readonly checkpoint: AddCheckpointRequest
      readonly range: RangeEvidence
      readonly job: LoggedStatement
      /** Of the plan's inputs, except for an initial model. */
      readonly publications: readonly LoggedStatement[]
      /** Of earlier plans of the same question, each with t signatures. */
      readonly abandonments: readonly Envelope[]
    }
  | { readonly kind: 'cosign'; readonly checkpoint: AddCheckpointRequest }
  | {
      readonly kind: 'check-shares'
      readonly planDigest: Digest
      readonly candidates: Envelope
      readonly checkpoint: AddCheckpointRequest
      readonly range: RangeEvidence
    }
  | {
      readonly kind: 'explain-shares'
      readonly planDigest: Digest
      readonly candidates: Envelope
      readonly checkpoint: AddCheckpointRequest
      readonly range: RangeEvidence
    }
  | {
      readonly kind: 'endorse'
      readonly planDigest: Digest
      readonly manifest: Envelope
      readonly checkpoint: AddCheckpointRequest
      readonly range: RangeEvidence
    }
  | { readonly kind: 'answer'; readonly planDigest: Digest; readonly certificate: Envelope }
  | {
      readonly kind: 'hash-payload'
      readonly planDigest: Digest
      readonly manifest: Envelope
      /** Of the ciphertexts' sum. */
      readonly sum: Digest
    }
  | { readonly kind: 'abandon'; readonly plan: Envelope; readonly abandonment: Envelope }
  | { readonly kind: 'published'; readonly planDigest: Digest; readonly publication: Envelope }
  | { readonly kind: 'admit'; readonly statement: Envelope }

/** The holder's reply, by request. */
export type HolderReply =
  | { readonly kind: 'contribution'; readonly envelope: Envelope }
  /** A signature line of tlog-cosignature. */
  | { readonly kind: 'cosignature'; readonly line: string }
  | { readonly kind: 'share-check'; readonly envelope: Envelope }
  | { readonly kind: 'dealing'; readonly envelope: Envelope }
  /** On a manifest, an abandonment, a registry statement. */
  | { readonly kind: 'endorsement'; readonly signature: EnvelopeSignature }
  | { readonly kind: 'share-sum'; readonly envelope: Envelope }
  | { readonly kind: 'payload-hash'; readonly envelope: Envelope }
  | { readonly kind: 'noted' }
  /** The checkpoint does not start from the tree that this holder knows: its size, to ask again from. */
  | { readonly kind: 'known-size'; readonly size: number }
