import type { Digest } from '../crypto/digest.ts'

/** A plan as lines and spans name it: the first 16 hexadecimal digits of its digest. */
export function planName(planDigest: Digest): string {
  return planDigest.slice(0, 16)
}
