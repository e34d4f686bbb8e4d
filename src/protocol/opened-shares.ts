import type { Digest } from '../crypto/digest.ts'
import { unpackShare } from '../crypto/key-shares.ts'
import type { BoxKey } from '../crypto/sealed-box.ts'
import { SHARED_NUMBERS } from '../crypto/share-check.ts'
import { type Contribution, shareAssociatedData } from './contribution.ts'

/**
 * Opens one member's shares of some contributions: by contributor, `SHARED_NUMBERS` residues each; contributors whose box
 * does not open, or holds no share, are absent. Secret to the member.
 */
export type OpenedShares = (contributions: readonly Contribution[]) => Promise<ReadonlyMap<string, Uint32Array>>

/**
 * Opens what contributors have sealed to this member (protocol §3). Each box is opened once, however often its share is
 * needed: for the check, and for the answer.
 * @param member the name of the member whose key this is
 */
export function openSharesOf(planDigest: Digest, member: string, boxKey: BoxKey) {
  const opened = new Map<string, Promise<Uint32Array | undefined>>()
  const open = async ({ holder, payload }: Contribution, box: string): Promise<Uint32Array | undefined> => {
    try {
      const associatedData = shareAssociatedData(planDigest, holder, member, payload.digest)
      const packed = await boxKey.open(Buffer.from(box, 'base64'), associatedData)
      const share = unpackShare(packed, SHARED_NUMBERS)
      packed.fill(0)
      return share
    } catch {
      return undefined
    }
  }
  const openShares: OpenedShares = async (contributions) => {
    const shares = new Map<string, Uint32Array>()
    for (const contribution of contributions) {
      // By all that a box is bound to: a copy of another contributor's box is another one, and does not open.
      const box = contribution.shares.find((share) => share.member === member)?.sealed ?? ''
      const name = JSON.stringify([contribution.holder, contribution.payload.digest, box])
      const known = opened.get(name) ?? open(contribution, box)
      opened.set(name, known)
      const share = await known
      if (share) shares.set(contribution.holder, share)
    }
    return shares
  }
  /** Overwrites what was opened. */
  const forget = async (): Promise<void> => {
    for (const share of opened.values()) (await share)?.fill(0)
    opened.clear()
  }
  return { openShares, forget }
}
