import { CryptoError } from './crypto-error.ts'
import { type Digest, digestOf } from './digest.ts'
import { keyIdOf, type StatementKey, type StatementPublicKey, verifySignature } from './statement-key.ts'

/** One signature of an envelope: 64 bytes of Ed25519 over {@link preAuthenticationEncoding}. */
export interface EnvelopeSignature {
  readonly keyid: string
  readonly sig: Uint8Array
}

/**
 * A DSSE envelope (https://github.com/secure-systems-lab/dsse, v1.0): signatures over the exact payload bytes and their
 * type. Whoever verifies parses the bytes that were signed, so that no canonical form is needed.
 */
export interface Envelope {
  readonly payloadType: string
  readonly payload: Uint8Array
  readonly signatures: readonly EnvelopeSignature[]
}

/** The bytes that are signed: DSSE v1 PAE, `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload`. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType, 'utf8')
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload])
}

/** A new envelope with one signature. */
export function signEnvelope(payloadType: string, payload: Uint8Array, key: StatementKey): Envelope {
  return { payloadType, payload, signatures: [signatureOver(payloadType, payload, key)] }
}

/** One more signature over the bytes of an existing envelope; what a committee member gives to a manifest. */
export function signatureOver(payloadType: string, payload: Uint8Array, key: StatementKey): EnvelopeSignature {
  return { keyid: keyIdOf(key.publicKey), sig: key.sign(preAuthenticationEncoding(payloadType, payload)) }
}

/** Who was found to have signed an envelope. By the object: whoever makes another one of the same bytes is verified again. */
const verifiedSigners = new WeakMap<Envelope, Set<StatementPublicKey>>()

/**
 * Whether the envelope carries a valid signature of this key. The key id only selects which signatures are tried. An envelope
 * is immutable, and each role verifies it at every step that rests on it; that costs one verification for each signer.
 */
export function isSignedBy(envelope: Envelope, publicKey: StatementPublicKey): boolean {
  if (verifiedSigners.get(envelope)?.has(publicKey)) return true
  if (!hasSignatureOf(envelope, publicKey)) return false
  const signers = verifiedSigners.get(envelope) ?? new Set()
  verifiedSigners.set(envelope, signers.add(publicKey))
  return true
}

function hasSignatureOf(envelope: Envelope, publicKey: StatementPublicKey): boolean {
  const keyid = keyIdOf(publicKey)
  const candidates = envelope.signatures.filter((signature) => signature.keyid === keyid)
  if (candidates.length === 0) return false
  const message = preAuthenticationEncoding(envelope.payloadType, envelope.payload)
  return candidates.some((signature) => verifySignature(publicKey, message, signature.sig))
}

/** The name of a statement: SHA-256 over its type and exact bytes (the PAE), without its signatures. */
export function statementDigest(envelope: Pick<Envelope, 'payloadType' | 'payload'>): Digest {
  return digestOf(preAuthenticationEncoding(envelope.payloadType, envelope.payload))
}

/** The DSSE JSON form, base64 with padding: how an envelope is stored and shown to an auditor. */
export function encodeEnvelope(envelope: Envelope): string {
  return JSON.stringify({
    payloadType: envelope.payloadType,
    payload: Buffer.from(envelope.payload).toString('base64'),
    signatures: envelope.signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig).toString('base64') })),
  })
}

/**
 * The inverse of {@link encodeEnvelope}.
 * @throws CryptoError `bad-envelope` when the text is not a DSSE envelope in canonical base64.
 */
export function decodeEnvelope(text: string): Envelope {
  const value = parseJson(text)
  if (!isRecord(value) || typeof value.payloadType !== 'string' || !Array.isArray(value.signatures)) {
    throw new CryptoError('bad-envelope', 'Not a DSSE envelope: payloadType, payload and signatures are required.')
  }
  const signatures = value.signatures.map((signature: unknown) => {
    if (!isRecord(signature) || typeof signature.keyid !== 'string') {
      throw new CryptoError('bad-envelope', 'A DSSE signature needs a keyid and a sig.')
    }
    return { keyid: signature.keyid, sig: fromBase64(signature.sig) }
  })
  return { payloadType: value.payloadType, payload: fromBase64(value.payload), signatures }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CryptoError('bad-envelope', 'Not a DSSE envelope: the text is not JSON.', { cause })
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fromBase64(text: unknown): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined
  // Buffer.from skips what it does not understand; only a text that comes back unchanged has one meaning.
  if (!bytes || bytes.toString('base64') !== text) {
    throw new CryptoError('bad-envelope', 'A DSSE field is not canonical base64.')
  }
  return new Uint8Array(bytes)
}
