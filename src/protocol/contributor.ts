import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { packShare, splitKey } from '../crypto/key-shares.ts'
import type { Randomness } from '../crypto/randomness.ts'
import { sealBox } from '../crypto/sealed-box.ts'
import { drawSharedNumbers } from '../crypto/share-check.ts'
import type { StatementKey } from '../crypto/statement-key.ts'
import { contributionStatement, type PayloadReference, shareAssociatedData } from './contribution.ts'
import { findMember, type RoundPlan } from './round-plan.ts'
import { signStatement } from './statement.ts'

/** A contribution, and what it dealt. */
export interface SignedContribution {
  readonly envelope: Envelope
  /** By committee member; for a dealing, if one is asked for. Secret: in memory until the round is over, then overwritten. */
  readonly shares: readonly Uint32Array[]
}

/**
 * The contributor's last step (protocol §4.2): shares its one-time key, and blinding for the check of the shares, among
 * the committee, seals each share to its member, and signs the contribution that names the uploaded ciphertext.
 *
 * The plan has passed `examinePlan`; the payload was protected under exactly this key and plan.
 *
 * @param oneTimeKey N signed coefficients. Secret; the caller forgets it after this call.
 * @param payload digest and size of the packed ciphertext.
 */
export async function signContribution(
  plan: RoundPlan,
  planDigest: Digest,
  holder: string,
  oneTimeKey: Int32Array,
  payload: PayloadReference,
  key: StatementKey,
  randomness: Randomness,
): Promise<SignedContribution> {
  const { members, threshold } = plan.committee
  const shared = drawSharedNumbers(oneTimeKey, randomness)
  const shares = splitKey(shared, threshold, members.length, randomness)
  shared.fill(0)
  const sealed = await Promise.all(
    members.map(async (member, i) => {
      const packed = packShare(shares[i])
      const associatedData = shareAssociatedData(planDigest, holder, member, payload.digest)
      const box = await sealBox(findMember(plan, member)!.boxKey, packed, associatedData)
      packed.fill(0)
      return { member, sealed: Buffer.from(box).toString('base64') }
    }),
  )
  const body = { plan: planDigest, holder, payload: { ...payload }, shares: sealed }
  return { envelope: signStatement(contributionStatement, body, key), shares }
}
