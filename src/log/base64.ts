/** Standard base64 with padding (RFC 4648 §4), the encoding of notes, checkpoints and proofs. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/**
 * The inverse of {@link toBase64}; undefined unless the text is the one encoding of some bytes. Buffer.from skips what it
 * does not understand, so only a text that comes back unchanged has one meaning.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined
}
