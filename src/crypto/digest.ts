import { createHash } from 'node:crypto'

/** A SHA-256 value as 64 lowercase hexadecimal characters: the form in which statements, tables and logs carry it. */
export type Digest = string

const DIGEST_FORM = /^[0-9a-f]{64}$/

/** SHA-256 (FIPS 180-4) of the concatenated parts; 32 bytes. Parts are not separated: give fixed lengths or a framing. */
export function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** {@link sha256} in the form of a {@link Digest}. */
export function digestOf(...parts: Uint8Array[]): Digest {
  return toHex(sha256(...parts))
}

/** A digest of bytes that come piece by piece, and are never there as a whole. */
export interface DigestStream {
  add(piece: Uint8Array): void
  /** Once: the digest of all pieces, one behind the other. */
  end(): Digest
}

export function beginDigest(): DigestStream {
  const hash = createHash('sha256')
  return { add: (piece) => void hash.update(piece), end: () => hash.digest('hex') }
}

/** True for exactly 64 lowercase hexadecimal characters; upper case is refused so that one value has one form. */
export function isDigest(text: string): text is Digest {
  return DIGEST_FORM.test(text)
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** The bytes of an even number of hexadecimal characters. The caller has checked the form (schema or {@link isDigest}). */
export function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'))
}
