import { z } from 'zod'
import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { shareBytes } from '../crypto/key-shares.ts'
import { SEALED_BOX_OVERHEAD_BYTES } from '../crypto/sealed-box.ts'
import { SHARED_NUMBERS } from '../crypto/share-check.ts'
import { listField } from './list-field.ts'
import { base64Field, COMMITTEE_MAX, defineStatement, digestField, identityField } from './statement.ts'

/** The body of a contribution statement (protocol §4.2): names the ciphertext, carries the sealed key shares. */
export const contributionSchema = z.strictObject({
  plan: digestField,
  holder: identityField,
  payload: z.strictObject({ digest: digestField, bytes: z.int().min(1) }),
  /** One share of the one-time key and its blinding per committee member, HPKE-sealed to it, in the committee's order. */
  shares: listField(z.strictObject({ member: identityField, sealed: base64Field }), { min: 2, max: COMMITTEE_MAX }),
})

export type Contribution = z.infer<typeof contributionSchema>

export const contributionStatement = defineStatement('contribution', contributionSchema)

/** Characters of one sealed share in base64: the packed share, the encapsulated key, the tag. */
export const SEALED_SHARE_CHARACTERS = 4 * Math.ceil((shareBytes(SHARED_NUMBERS) + SEALED_BOX_OVERHEAD_BYTES) / 3)

/** The encrypted vector of one holder as the statement names it. */
export interface PayloadReference {
  readonly digest: Digest
  readonly bytes: number
}

/**
 * The digest of a payload from those of its chunks, in order: SHA-256(domain ‖ chunk digests). A receiver can check
 * every chunk as it arrives, and no side needs the whole payload at once.
 */
export function payloadDigest(chunkDigests: readonly Digest[]): Digest {
  return digestOf(Buffer.from('sluice/v1/payload\0'), ...chunkDigests.map(fromHex))
}

/**
 * Associated data of a sealed share: the round, both identities, the ciphertext. A share that is moved to another round,
 * contributor, member or ciphertext does not open (protocol §3).
 */
export function shareAssociatedData(plan: Digest, contributor: string, member: string, payload: Digest): Uint8Array {
  return Buffer.from(JSON.stringify(['sluice/v1/key-share', plan, contributor, member, payload]), 'utf8')
}
