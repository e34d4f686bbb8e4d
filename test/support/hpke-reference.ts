import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from 'node:crypto'

/**
 * HPKE base mode (RFC 9180) for DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, written from the RFC on node:crypto:
 * a second opinion on the sealed boxes, with an ephemeral key that the caller chooses.
 */

const KEM = Buffer.concat([Buffer.from('KEM'), Buffer.from('0020', 'hex')])
const SUITE = Buffer.concat([Buffer.from('HPKE'), Buffer.from('002000010002', 'hex')])
const EMPTY = Buffer.alloc(0)
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

/** §4, LabeledExtract. */
function labeledExtract(suite: Buffer, salt: Uint8Array, label: string, ikm: Uint8Array): Buffer {
  return createHmac('sha256', salt)
    .update(Buffer.concat([Buffer.from('HPKE-v1'), suite, Buffer.from(label), ikm]))
    .digest()
}

/** §4, LabeledExpand; one block of HKDF-Expand is enough for what is asked here. */
function labeledExpand(suite: Buffer, prk: Buffer, label: string, info: Uint8Array, length: number): Buffer {
  const lengthBytes = Buffer.from([length >> 8, length & 0xff])
  const block = Buffer.concat([lengthBytes, Buffer.from('HPKE-v1'), suite, Buffer.from(label), info, Buffer.from([1])])
  return createHmac('sha256', prk).update(block).digest().subarray(0, length)
}

interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicBytes: Buffer
}

/** §7.1.3, DeriveKeyPair for X25519. */
export function deriveKeyPair(ikm: Uint8Array): KeyPair {
  const secret = labeledExpand(KEM, labeledExtract(KEM, EMPTY, 'dkp_prk', ikm), 'sk', EMPTY, 32)
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, secret]), format: 'der', type: 'pkcs8' })
  const publicBytes = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(SPKI.length)
  return { privateKey, publicBytes }
}

function parsePublic(bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: 'der', type: 'spki' })
}

/** §4.1 ExtractAndExpand and §5.1 KeySchedule, mode base. */
function keyAndNonce(dh: Buffer, enc: Uint8Array, recipient: Uint8Array, info: Uint8Array) {
  const prk = labeledExtract(KEM, EMPTY, 'eae_prk', dh)
  const shared = labeledExpand(KEM, prk, 'shared_secret', Buffer.concat([enc, recipient]), 32)
  const context = Buffer.concat([
    Buffer.from([0]),
    labeledExtract(SUITE, EMPTY, 'psk_id_hash', EMPTY),
    labeledExtract(SUITE, EMPTY, 'info_hash', info),
  ])
  const secret = labeledExtract(SUITE, shared, 'secret', EMPTY)
  return {
    key: labeledExpand(SUITE, secret, 'key', context, 32),
    nonce: labeledExpand(SUITE, secret, 'base_nonce', context, 12),
  }
}

/** `enc ‖ ciphertext ‖ tag` for the recipient of `recipientSeed`, from an ephemeral key that `ephemeralSeed` gives. */
export function sealReference(
  recipientSeed: Uint8Array,
  ephemeralSeed: Uint8Array,
  info: Uint8Array,
  associatedData: Uint8Array,
  plaintext: Uint8Array,
): Buffer {
  const recipient = deriveKeyPair(recipientSeed).publicBytes
  const ephemeral = deriveKeyPair(ephemeralSeed)
  const dh = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: parsePublic(recipient) })
  const { key, nonce } = keyAndNonce(dh, ephemeral.publicBytes, recipient, info)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associatedData)
  return Buffer.concat([ephemeral.publicBytes, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** The plaintext of a box. @throws when it does not authenticate */
export function openReference(
  recipientSeed: Uint8Array,
  info: Uint8Array,
  associatedData: Uint8Array,
  box: Uint8Array,
): Buffer {
  const recipient = deriveKeyPair(recipientSeed)
  const enc = box.subarray(0, 32)
  const dh = diffieHellman({ privateKey: recipient.privateKey, publicKey: parsePublic(enc) })
  const { key, nonce } = keyAndNonce(dh, enc, recipient.publicBytes, info)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(associatedData)
  decipher.setAuthTag(box.subarray(box.length - 16))
  return Buffer.concat([decipher.update(box.subarray(32, box.length - 16)), decipher.final()])
}
