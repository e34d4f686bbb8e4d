import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto'
import { CryptoError } from './crypto-error.ts'
import { fromHex, toHex } from './digest.ts'
import type { Randomness } from './randomness.ts'

/** DER prefixes of Ed25519 keys (RFC 8410 §4, §7); the raw 32 bytes follow. */
const PRIVATE_PREFIX = fromHex('302e020100300506032b657004220420')
const PUBLIC_PREFIX = fromHex('302a300506032b6570032100')

/** An Ed25519 public key (RFC 8032) as 64 lowercase hexadecimal characters. Public. */
export type StatementPublicKey = string

/**
 * The key with which one identity signs its statements (Ed25519, RFC 8032). It stays on the machine that made it; only
 * `publicKey` and signatures leave. Signatures are deterministic: the same bytes give the same signature, which is what
 * lets a committee member repeat an answer byte for byte after a restart.
 */
export interface StatementKey {
  readonly publicKey: StatementPublicKey
  /** Ed25519 over exactly these bytes; 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}

/** Draws a new private seed: 32 bytes, 256 bits of `randomness`. Secret: keep it in a file only its owner can read. */
export function drawStatementSeed(randomness: Randomness): Uint8Array {
  const seed = new Uint8Array(32)
  randomness.fill(seed)
  return seed
}

/**
 * The key of a private seed (RFC 8032 §5.1.5).
 * @throws CryptoError `bad-key` unless the seed has exactly 32 bytes.
 */
export function statementKeyFromSeed(seed: Uint8Array): StatementKey {
  if (seed.length !== 32) {
    throw new CryptoError('bad-key', `An Ed25519 seed has 32 bytes, not ${seed.length}: create the identity again.`)
  }
  const privateKey = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return {
    publicKey: toHex(spki.subarray(PUBLIC_PREFIX.length)),
    sign: (message) => new Uint8Array(nodeSign(null, message, privateKey)),
  }
}

/** Parsed keys are kept: a coordinator verifies the same few hundred members in every round. */
const parsedKeys = new Map<StatementPublicKey, KeyObject>()
const PARSED_KEYS_MAX = 4096

function parsePublicKey(publicKey: StatementPublicKey): KeyObject {
  const known = parsedKeys.get(publicKey)
  if (known) return known
  const key = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, fromHex(publicKey)]), format: 'der', type: 'spki' })
  if (parsedKeys.size >= PARSED_KEYS_MAX) parsedKeys.clear()
  parsedKeys.set(publicKey, key)
  return key
}

/** Whether `signature` (64 bytes) is the key's over exactly `message`. A malformed key or signature is simply false. */
export function verifySignature(publicKey: StatementPublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || !/^[0-9a-f]{64}$/.test(publicKey)) return false
  return nodeVerify(null, message, parsePublicKey(publicKey), signature)
}

/** The DSSE key identifier: SHA-256 of the raw public key, hexadecimal. A hint for finding the key, never a proof. */
export function keyIdOf(publicKey: StatementPublicKey): string {
  return createHash('sha256').update(fromHex(publicKey)).digest('hex')
}
