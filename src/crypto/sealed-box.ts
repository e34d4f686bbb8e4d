import type { webcrypto } from 'node:crypto'
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { CryptoError } from './crypto-error.ts'
import { fromHex, toHex } from './digest.ts'
import type { Randomness } from './randomness.ts'

/**
 * Sealed boxes: HPKE base mode (RFC 9180 §5.1.1) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 * A box is `enc (32 bytes) ‖ ciphertext`; only the holder of the recipient's private key opens it, and only under the
 * same `info` and associated data.
 */
const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })

const INFO = Buffer.from('sluice/v1/key-share')
const ENCAPSULATION_BYTES = 32
const TAG_BYTES = 16

/** Bytes that sealing adds to a plaintext: the encapsulated key and the AEAD tag. */
export const SEALED_BOX_OVERHEAD_BYTES = ENCAPSULATION_BYTES + TAG_BYTES

/** An X25519 public key, 64 lowercase hexadecimal characters. Public. */
export type BoxPublicKey = string

/** The key with which one identity opens boxes sealed to it. The private part never leaves the object. */
export interface BoxKey {
  readonly publicKey: BoxPublicKey
  /**
   * The plaintext of a box.
   * @throws CryptoError `box-not-openable` when key, associated data or bytes differ from what was sealed.
   */
  open(box: Uint8Array, associatedData: Uint8Array): Promise<Uint8Array>
}

/** Draws a new private seed, 32 bytes of `randomness`. Secret. */
export function drawBoxSeed(randomness: Randomness): Uint8Array {
  const seed = new Uint8Array(32)
  randomness.fill(seed)
  return seed
}

/**
 * The box key of a seed, by RFC 9180 §7.1.3 DeriveKeyPair.
 * @throws CryptoError `bad-key` unless the seed has exactly 32 bytes.
 */
export async function boxKeyFromSeed(seed: Uint8Array): Promise<BoxKey> {
  if (seed.length !== 32) {
    throw new CryptoError('bad-key', `A box seed has 32 bytes, not ${seed.length}: create the identity again.`)
  }
  const pair = await suite.kem.deriveKeyPair(exactBuffer(seed))
  return {
    publicKey: toHex(new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey))),
    open: (box, associatedData) => openBox(pair, box, associatedData),
  }
}

/**
 * Seals `plaintext` to one recipient.
 * @throws CryptoError `bad-key` when the recipient's key is not a valid X25519 key.
 */
export async function sealBox(
  recipient: BoxPublicKey,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
): Promise<Uint8Array> {
  try {
    const recipientPublicKey = await parseBoxPublicKey(recipient)
    const sender = await suite.createSenderContext({ recipientPublicKey, info: exactBuffer(INFO) })
    const ciphertext = await sender.seal(exactBuffer(plaintext), exactBuffer(associatedData))
    return new Uint8Array(Buffer.concat([Buffer.from(sender.enc), Buffer.from(ciphertext)]))
  } catch (cause) {
    throw new CryptoError('bad-key', `Cannot seal to box key ${recipient.slice(0, 16)}…: not an X25519 key.`, { cause })
  }
}

async function openBox(
  pair: webcrypto.CryptoKeyPair,
  box: Uint8Array,
  associatedData: Uint8Array,
): Promise<Uint8Array> {
  try {
    const recipient = await suite.createRecipientContext({
      recipientKey: pair,
      enc: exactBuffer(box.subarray(0, ENCAPSULATION_BYTES)),
      info: exactBuffer(INFO),
    })
    const ciphertext = exactBuffer(box.subarray(ENCAPSULATION_BYTES))
    return new Uint8Array(await recipient.open(ciphertext, exactBuffer(associatedData)))
  } catch (cause) {
    throw new CryptoError(
      'box-not-openable',
      'A sealed box does not open: it was sealed to another key, for another round, or it was changed on the way.',
      { cause },
    )
  }
}

const parsedKeys = new Map<BoxPublicKey, webcrypto.CryptoKey>()
const PARSED_KEYS_MAX = 4096

async function parseBoxPublicKey(publicKey: BoxPublicKey): Promise<webcrypto.CryptoKey> {
  const known = parsedKeys.get(publicKey)
  if (known) return known
  const key = await suite.kem.deserializePublicKey(exactBuffer(fromHex(publicKey)))
  if (parsedKeys.size >= PARSED_KEYS_MAX) parsedKeys.clear()
  parsedKeys.set(publicKey, key)
  return key
}

/** The library wants an ArrayBuffer of exactly the bytes; views of larger buffers would leak their neighbours into it. */
function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
