import { CryptoError } from './crypto-error.ts'
import { unpackToWords } from './packing.ts'
import { chunkGeometry, type PayloadParameters, POLYNOMIALS_PER_CHUNK } from './payload-parameters.ts'
import { uniformPolynomials } from './public-polynomials.ts'
import type { Ring } from './ring.ts'
import { RING_DEGREE, RING_MODULUS } from './ring-constants.ts'

/**
 * A hash of a ciphertext that is linear modulo q: the hashes of contributions add up to the hash of their sum, so that a
 * published sum is checked against what each contributor says of its own ciphertext (docs/adr/0011-verifiable-sums.md).
 *
 *     hash_r = Σ_g ρ_{r,g} · Σ_i σ_{r,i} · Σ_k ω_{r,k} · c_{16g+i,k} mod q      for r = 0, 1
 *
 * over coefficient k of polynomial 16g + i of the vector, which is polynomial i of chunk g; coefficients that do not travel
 * are zero. The weights are expanded from 32 bytes as the public polynomials are (public-polynomials.ts), with the text
 * "sluice/linear-hash/v1" in the place of theirs and the challenge in the place of the plan digest:
 *
 * ω_{r,k} = coefficient k of polynomial r
 * σ_{r,i} = coefficient 2i + r of polynomial 2
 * ρ_{r,g} = the low 53 bits of coefficient 2 · (g mod 1024) + r of polynomial 3 + floor(g / 1024)
 *
 * Soundness: the hash of a wrong sum is right only when the hash of the difference d, fixed before the challenge, is zero.
 * It is a polynomial in independent weights, of degree one in each of ω, σ and ρ, and not zero as one d is not. With ω drawn
 * the inner sums are all zero with probability at most 1/q, then with σ the middle ones at most 1/q, then with ρ, which
 * takes no value with more than 2/q, at most 2/q: 4/q, and (4/q)^2 < 2^-103 for both r. Nothing of this holds for a challenge
 * that is known before: it must follow from what fixes every ciphertext. Known answers: test/vectors/linear-hash.json.
 */
export type LinearHash = readonly [bigint, bigint]

const DOMAIN = Buffer.from('sluice/linear-hash/v1')
const REPETITIONS = [0, 1] as const
const SIGMA_POLYNOMIAL = 2
const FIRST_RHO_POLYNOMIAL = 3
const CHUNKS_PER_RHO_POLYNOMIAL = RING_DEGREE / REPETITIONS.length
const RHO_BITS = 53
const POLYNOMIAL_WORDS = 2 * RING_DEGREE
const TEXT_FORM = /^[0-9a-f]{32}$/

/** The hash as text: two residues of 16 lowercase hexadecimal digits, that of r = 0 first. */
export function formatLinearHash(hash: LinearHash): string {
  return hash.map((residue) => residue.toString(16).padStart(16, '0')).join('')
}

/**
 * The inverse of {@link formatLinearHash}; one hash has one text.
 *
 * @throws CryptoError `bad-hash` for anything but 32 lowercase hexadecimal digits, or a number that is not below q
 */
export function parseLinearHash(text: string): LinearHash {
  if (!TEXT_FORM.test(text)) throw badHash('is not 32 lowercase hexadecimal digits')
  const hash = [BigInt(`0x${text.slice(0, 16)}`), BigInt(`0x${text.slice(16)}`)] as const
  if (hash.some((residue) => residue >= RING_MODULUS)) throw badHash('holds a number that is not below q')
  return hash
}

/** The hash of the sum of ciphertexts whose hashes these are; of none, zero. */
export function addLinearHashes(hashes: Iterable<LinearHash>): LinearHash {
  let [first, second] = [0n, 0n]
  for (const hash of hashes) {
    first += hash[0]
    second += hash[1]
  }
  return [first % RING_MODULUS, second % RING_MODULUS]
}

/** Hashes chunks of one vector, in any order. The parts of several hashers add up to the hash of the vector. */
export interface ChunkHasher {
  /**
   * Takes in a chunk; each counts as often as it is added. Nothing about `bytes` is trusted; what is refused is not added.
   *
   * @throws CryptoError `chunk-out-of-range` | `wrong-length` | `padding-not-zero` | `residue-not-canonical`
   */
  add(chunkIndex: number, bytes: Uint8Array): void
  /** The hash of what was added, everything else being zero. */
  hash(): LinearHash
  /** Gives SEAL's memory back. It cannot be used afterwards. */
  dispose(): void
}

/**
 * The sums over g and the products by ω are SEAL's: over g because one number times 16 polynomials is the cheapest product
 * it has, a third of the time of one residue by residue (bench/linear-hash.ts).
 *
 * @param challenge 32 bytes. Public.
 * @throws CryptoError `digest-not-256-bits`
 */
export function createChunkHasher(ring: Ring, parameters: PayloadParameters, challenge: Uint8Array): ChunkHasher {
  const weights = createWeights(challenge)
  const sums = REPETITIONS.map(() => ring.createSum())
  return {
    add: (chunkIndex, bytes) => {
      const { polynomialCount, coefficientCount } = chunkGeometry(parameters, chunkIndex)
      unpackToWords(bytes, coefficientCount, ring.term(polynomialCount))
      for (const r of REPETITIONS) sums[r].add(weights.rho(r, chunkIndex), polynomialCount)
    },
    hash: () => {
      const [first, second] = REPETITIONS.map((r) => {
        ring.operands(POLYNOMIALS_PER_CHUNK).set(sums[r].read())
        const omega = ring.loadKey(weights.polynomial(r))
        const products = ring.multiplyResidues(omega, POLYNOMIALS_PER_CHUNK)
        omega.dispose()
        return foldPolynomials(products, (i) => weights.sigma(r, i))
      })
      return [first, second]
    },
    dispose: () => {
      for (const sum of sums) sum.dispose()
    },
  }
}

type Repetition = (typeof REPETITIONS)[number]

function createWeights(challenge: Uint8Array) {
  const polynomials = uniformPolynomials(DOMAIN, challenge)
  const words = new Uint32Array(POLYNOMIAL_WORDS)
  const residues = new BigUint64Array(words.buffer)
  let expanded: number | undefined
  const polynomial = (index: number): Uint32Array => {
    if (index !== expanded) polynomials.expand(index, words)
    expanded = index
    return words
  }
  return {
    /** In memory that the next call overwrites. */
    polynomial,
    sigma: (r: Repetition, i: number): bigint => {
      polynomial(SIGMA_POLYNOMIAL)
      return residues[REPETITIONS.length * i + r]
    },
    rho: (r: Repetition, chunkIndex: number): number => {
      polynomial(FIRST_RHO_POLYNOMIAL + Math.floor(chunkIndex / CHUNKS_PER_RHO_POLYNOMIAL))
      const residue = residues[REPETITIONS.length * (chunkIndex % CHUNKS_PER_RHO_POLYNOMIAL) + r]
      return Number(BigInt.asUintN(RHO_BITS, residue))
    },
  }
}

/** Σ_i σ_i · Σ_k of the residues of a chunk's polynomials, modulo q. */
function foldPolynomials(words: Uint32Array, sigma: (i: number) => bigint): bigint {
  let total = 0n
  for (let i = 0; i < POLYNOMIALS_PER_CHUNK; i++) {
    // In doubles: 2048 words stay below 2^43.
    let [low, high] = [0, 0]
    for (let w = i * POLYNOMIAL_WORDS; w < (i + 1) * POLYNOMIAL_WORDS; w += 2) {
      low += words[w]
      high += words[w + 1]
    }
    total += sigma(i) * (BigInt(low) + (BigInt(high) << 32n))
  }
  return total % RING_MODULUS
}

function badHash(why: string): CryptoError {
  return new CryptoError('bad-hash', `This linear hash ${why}: refuse the statement that carries it.`)
}
