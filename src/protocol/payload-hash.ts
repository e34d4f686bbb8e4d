import { z } from 'zod'
import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { isSignedBy } from '../crypto/envelope.ts'
import { parseLinearHash } from '../crypto/linear-hash.ts'
import { keyIdOf, type StatementPublicKey } from '../crypto/statement-key.ts'
import { defineStatement, digestField, identityField, statementBytes } from './statement.ts'

/** A linear hash as text: two residues below q, 16 hexadecimal digits each. */
export const linearHashField = z.string().refine(isLinearHash, 'not two residues below q in lowercase hexadecimal')

function isLinearHash(text: string): boolean {
  try {
    parseLinearHash(text)
    return true
  } catch {
    return false
  }
}

/**
 * The body of a payload hash (protocol §4.7, docs/adr/0011): a contributor's linear hash of its own ciphertext under a
 * challenge that manifest and sum fix. Says nothing that the ciphertext does not say.
 */
export const payloadHashSchema = z.strictObject({
  plan: digestField,
  manifest: digestField,
  /** Of the ciphertexts' sum, as the coordinator says it: fixed before there is a challenge. */
  sum: digestField,
  holder: identityField,
  hash: linearHashField,
})

export type PayloadHash = z.infer<typeof payloadHashSchema>

export const payloadHashStatement = defineStatement('payload-hash', payloadHashSchema)

/**
 * The 32 bytes that a round's linear hash is expanded from: after every ciphertext, which the manifest names, and after their
 * sum. A sum that is chosen when the challenge is known can be made to fit any hash.
 */
export function hashChallenge(manifest: Digest, sum: Digest): Uint8Array {
  return fromHex(digestOf(Buffer.from('sluice/v1/payload-hash\0'), fromHex(manifest), fromHex(sum)))
}

/** A payload hash as a publication carries it: what else its statement says is the publication's. */
export interface HashClaim {
  readonly holder: string
  readonly hash: string
  /** Base64. */
  readonly signature: string
}

/** Whether a contributor has signed its hash: the statement is rebuilt byte for byte, and its signature verified. */
export function isSignedHash(
  author: StatementPublicKey,
  about: Pick<PayloadHash, 'plan' | 'manifest' | 'sum'>,
  { holder, hash, signature }: HashClaim,
): boolean {
  const { payloadType } = payloadHashStatement
  const { plan, manifest, sum } = about
  const payload = statementBytes(payloadHashStatement, { plan, manifest, sum, holder, hash })
  const signatures = [{ keyid: keyIdOf(author), sig: new Uint8Array(Buffer.from(signature, 'base64')) }]
  return isSignedBy({ payloadType, payload, signatures }, author)
}
