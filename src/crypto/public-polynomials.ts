import { createCipheriv } from 'node:crypto'
import { CryptoError } from './crypto-error.ts'
import { sha256 } from './digest.ts'
import { fillWithKeystream } from './keystream.ts'
import { RESIDUE_BITS, RING_DEGREE, RING_MODULUS } from './ring-constants.ts'

/**
 * The public polynomials a_0, a_1, … of a round: nobody chooses them, nobody sends them, everybody expands them from the
 * digest of the round's plan. Uniform below q, and taken to be in NTT form already, which changes nothing about their
 * distribution and saves a transform (as in NewHope and Kyber; AES as the expander as in FrodoKEM, section 2.2.5). In NTT
 * form residue i is the value at root^(2·rev11(i)+1), root the smallest primitive 4096th root of unity mod q, rev11 the
 * reversal of 11 bits (SEAL's order; test/vectors/payload.json).
 *
 * key       = SHA-256("sluice/public-polynomials/v1" || plan digest), the text in ASCII without terminator
 * stream    = AES-256-CTR(key); the counter block is a 128-bit big-endian integer
 * a_j       = 2048 draws of 8 bytes from counter block j * 1024 on: little-endian, the low 54 bits
 * rejection = a draw that is not below q is replaced by the next 8 bytes of the stream that starts at counter block
 *             2^127 + j * 1024, again rejected above q; replacements are taken in the order of the coefficients
 *
 * Any polynomial, or run of polynomials, is expanded alone. Known answers: test/vectors/public-polynomials.json.
 */

const DOMAIN = Buffer.from('sluice/public-polynomials/v1')
const DIGEST_BYTES = 32
const POLYNOMIAL_BYTES = 8 * RING_DEGREE
const BLOCKS_PER_POLYNOMIAL = BigInt(POLYNOMIAL_BYTES / 16)
const REPLACEMENT_DOMAIN = 1n << 127n

/** The high word of q has all 22 bits set, so only a draw with the same high word can reach it. */
const HIGH_WORD_MASK = 2 ** (RESIDUE_BITS - 32) - 1
const MODULUS_LOW_WORD = Number(RING_MODULUS & 0xffffffffn)

/** Expands the polynomials, uniform in R_q, of one domain and digest. */
export interface PublicPolynomials {
  /**
   * Writes polynomials `firstIndex`, `firstIndex + 1`, … in NTT form: as many as `words` holds, 4096 words each, a residue
   * as (low, high) 32-bit words.
   */
  expand(firstIndex: number, words: Uint32Array): void
}

/**
 * @param planDigest SHA-256 of the round's plan, 32 bytes. Public.
 * @throws CryptoError `digest-not-256-bits`
 */
export function publicPolynomials(planDigest: Uint8Array): PublicPolynomials {
  return uniformPolynomials(DOMAIN, planDigest)
}

/**
 * The same expansion under another domain, the text in the place of "sluice/public-polynomials/v1".
 *
 * @param digest 32 bytes. Public.
 * @throws CryptoError `digest-not-256-bits`
 */
export function uniformPolynomials(domain: Uint8Array, digest: Uint8Array): PublicPolynomials {
  if (digest.length !== DIGEST_BYTES) {
    throw new CryptoError('digest-not-256-bits', `A digest has ${DIGEST_BYTES} bytes, not ${digest.length}.`)
  }
  const key = sha256(domain, digest)
  return {
    expand: (firstIndex, words) => {
      const blocks = BigInt(firstIndex) * BLOCKS_PER_POLYNOMIAL
      keystream(key, blocks, words)
      for (let i = 0; i * 2 * RING_DEGREE < words.length; i++) {
        const polynomial = words.subarray(i * 2 * RING_DEGREE, (i + 1) * 2 * RING_DEGREE)
        const start = REPLACEMENT_DOMAIN + blocks + BigInt(i) * BLOCKS_PER_POLYNOMIAL
        clampToResidues(polynomial, () => replacements(key, start))
      }
    },
  }
}

/**
 * Turns uniform 64-bit draws into uniform residues: the low 54 bits, and where those are not below q the next suitable
 * draw of the stream that `openReplacements` gives. One in 2^37 is replaced, so the stream is opened when first needed.
 */
export function clampToResidues(words: Uint32Array, openReplacements: () => Iterator<readonly [number, number]>): void {
  if (!maskHighWords(words)) return
  const stream = openReplacements()
  for (let i = 0; i < words.length; i += 2) {
    while (!isResidue(words[i], words[i + 1])) {
      const [low, high] = stream.next().value
      words[i] = low
      words[i + 1] = high & HIGH_WORD_MASK
    }
  }
}

/**
 * Cuts draws to 54 bits; says whether any high word has all its bits set, without which none reaches q. Four draws at a
 * time (a polynomial has a multiple of it), which also keeps V8 from inlining the loop early and half optimised.
 */
function maskHighWords(words: Uint32Array): boolean {
  let carries = 0
  for (let i = 0; i < words.length; i += 8) {
    const first = words[i + 1] & HIGH_WORD_MASK
    const second = words[i + 3] & HIGH_WORD_MASK
    const third = words[i + 5] & HIGH_WORD_MASK
    const fourth = words[i + 7] & HIGH_WORD_MASK
    words[i + 1] = first
    words[i + 3] = second
    words[i + 5] = third
    words[i + 7] = fourth
    carries |= (first + 1) | (second + 1) | (third + 1) | (fourth + 1)
  }
  return carries > HIGH_WORD_MASK
}

function isResidue(low: number, high: number): boolean {
  return high < HIGH_WORD_MASK || low < MODULUS_LOW_WORD
}

function keystream(key: Uint8Array, counterBlock: bigint, words: Uint32Array): void {
  const counter = Buffer.from(counterBlock.toString(16).padStart(32, '0'), 'hex')
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
  fillWithKeystream(createCipheriv('aes-256-ctr', key, counter), bytes)
}

function* replacements(key: Uint8Array, firstBlock: bigint): Generator<readonly [number, number], never> {
  for (let block = firstBlock; ; block++) {
    const words = new Uint32Array(4)
    keystream(key, block, words)
    yield [words[0], words[1]]
    yield [words[2], words[3]]
  }
}
