import type { Digest } from '../crypto/digest.ts'
import type { Envelope, EnvelopeSignature } from '../crypto/envelope.ts'

/** What a coordinator asks of a holder, over the stream that the holder has dialled (protocol §4). */
export type HolderRequest =
  | { readonly kind: 'contribute'; readonly plan: Envelope; readonly job: Envelope }
  | { readonly kind: 'endorse'; readonly planDigest: Digest; readonly manifest: Envelope }
  | { readonly kind: 'answer'; readonly planDigest: Digest; readonly certificate: Envelope }
  | { readonly kind: 'published'; readonly planDigest: Digest; readonly publication: Envelope }

/** The holder's reply, by request: a contribution statement, a signature on the manifest, a share sum, nothing. */
export type HolderReply =
  | { readonly kind: 'contribution'; readonly envelope: Envelope }
  | { readonly kind: 'endorsement'; readonly signature: EnvelopeSignature }
  | { readonly kind: 'share-sum'; readonly envelope: Envelope }
  | { readonly kind: 'noted' }
