/**
 * The linear hash of a packed ciphertext of 1,000,000 weights, on one thread: as src/crypto/linear-hash.ts has it, beside
 * two other ways to a hash of the same kind, in the same run.
 *
 *     node bench/linear-hash.ts [--json]
 */
import { randomBytes } from 'node:crypto'
import { createChunkHasher } from '../src/crypto/linear-hash.ts'
import { addPacked, packResidues, unpackToWords } from '../src/crypto/packing.ts'
import { chunkGeometry, payloadParameters } from '../src/crypto/payload-parameters.ts'
import { publicPolynomials } from '../src/crypto/public-polynomials.ts'
import { createRing, POLYNOMIAL_WORDS } from '../src/crypto/ring.ts'
import { LIMB_BITS, LIMB_MASK, RING_DEGREE, RING_MODULUS } from '../src/crypto/ring-constants.ts'
import { summarise, timed } from './measure.ts'

const RUNS = 25
const WARM_UP = 10
const REPETITIONS = [0, 1]
const parameters = payloadParameters({ precisionBits: 16, maxContributors: 10, length: 1_000_000 })
const geometries = Array.from({ length: parameters.chunkCount }, (_, index) => chunkGeometry(parameters, index))
const ring = await createRing()
const chunks = geometries.map(({ coefficientCount, polynomialCount }) => {
  const limbs = new Uint32Array(polynomialCount * POLYNOMIAL_WORDS).map(() => Math.random() * (LIMB_MASK - 1))
  return packResidues(limbs, coefficientCount)
})

/** What ships: a weight for a chunk, by SEAL; then weights for the residues of one chunk. */
function present(challenge: Uint8Array): bigint[] {
  const hasher = createChunkHasher(ring, parameters, challenge)
  for (const [index, bytes] of chunks.entries()) hasher.add(index, bytes)
  const hash = hasher.hash()
  hasher.dispose()
  return [...hash]
}

function weightsOf(challenge: Uint8Array, index: number): BigUint64Array {
  const words = new Uint32Array(POLYNOMIAL_WORDS)
  publicPolynomials(challenge).expand(index, words)
  return new BigUint64Array(words.buffer)
}

/** Σ_j ρ_j Σ_k ω_k c_jk with every product by ω SEAL's, residue by residue. */
function residueByResidue(challenge: Uint8Array): bigint[] {
  const keys = REPETITIONS.map((r) => ring.loadKey(new Uint32Array(weightsOf(challenge, r).buffer)))
  const rho = weightsOf(challenge, 2)
  const totals = [0n, 0n]
  for (const { index, coefficientCount, polynomialCount, firstPolynomial } of geometries) {
    unpackToWords(chunks[index], coefficientCount, ring.operands(polynomialCount))
    for (const r of REPETITIONS) {
      const products = ring.multiplyResidues(keys[r], polynomialCount)
      for (let j = 0; j < polynomialCount; j++) {
        let [low, high] = [0, 0]
        for (let w = j * POLYNOMIAL_WORDS; w < (j + 1) * POLYNOMIAL_WORDS; w += 2) {
          low += products[w]
          high += products[w + 1]
        }
        totals[r] += rho[2 * (firstPolynomial + j) + r] * (BigInt(low) + (BigInt(high) << 32n))
      }
    }
  }
  for (const key of keys) key.dispose()
  return totals.map((total) => total % RING_MODULUS)
}

/** The weight of a residue in four parts of 14 bits, so that 2048 products with a limb of 27 stay exact in a double. */
const PART_BITS = 14
const PARTS = [0, 1, 2, 3]

/** The same hash as `residueByResidue`, with arithmetic of our own in doubles. */
function inDoubles(challenge: Uint8Array): bigint[] {
  const parts = REPETITIONS.map((r) => {
    const omega = weightsOf(challenge, r)
    const cut = (weight: bigint, part: number) => Number(BigInt.asUintN(PART_BITS, weight >> BigInt(PART_BITS * part)))
    return Float64Array.from({ length: 4 * RING_DEGREE }, (_, i) => cut(omega[i >> 2], i & 3))
  })
  const rho = weightsOf(challenge, 2)
  const totals = [0n, 0n]
  const limbs = new Uint32Array(16 * POLYNOMIAL_WORDS)
  for (const { index, coefficientCount, polynomialCount, firstPolynomial } of geometries) {
    limbs.fill(0)
    addPacked(chunks[index], coefficientCount, limbs)
    for (const r of REPETITIONS) {
      for (let j = 0; j < polynomialCount; j++) {
        const inner = innerProduct(limbs, j * POLYNOMIAL_WORDS, parts[r])
        totals[r] += rho[2 * (firstPolynomial + j) + r] * inner
      }
    }
  }
  return totals.map((total) => total % RING_MODULUS)
}

function innerProduct(limbs: Uint32Array, start: number, weights: Float64Array): bigint {
  let l0 = 0
  let l1 = 0
  let l2 = 0
  let l3 = 0
  let h0 = 0
  let h1 = 0
  let h2 = 0
  let h3 = 0
  for (let k = 0, at = start; k < weights.length; k += 4, at += 2) {
    const low = limbs[at]
    const high = limbs[at + 1]
    const w0 = weights[k]
    const w1 = weights[k + 1]
    const w2 = weights[k + 2]
    const w3 = weights[k + 3]
    l0 += low * w0
    l1 += low * w1
    l2 += low * w2
    l3 += low * w3
    h0 += high * w0
    h1 += high * w1
    h2 += high * w2
    h3 += high * w3
  }
  const [lows, highs] = [
    [l0, l1, l2, l3],
    [h0, h1, h2, h3],
  ]
  return PARTS.reduce((sum, p) => {
    const both = BigInt(lows[p]) + (BigInt(highs[p]) << BigInt(LIMB_BITS))
    return sum + (both << BigInt(PART_BITS * p))
  }, 0n)
}

const ways = [
  { way: 'one weight a chunk, by SEAL (in use)', hash: present },
  { way: 'residue by residue, by SEAL', hash: residueByResidue },
  { way: 'residue by residue, in doubles', hash: inDoubles },
]

const challenge = randomBytes(32)
const [other, same] = [residueByResidue(challenge), inDoubles(challenge)]
if (other.some((residue, r) => residue !== same[r])) throw new Error('Two ways to one hash disagree.')

for (const { way, hash } of ways) {
  const samples: number[] = []
  for (let run = 0; run < WARM_UP + RUNS; run++) timed(samples, () => hash(randomBytes(32)))
  const { medianMs, minMs } = summarise(samples.slice(WARM_UP))
  const row = {
    case: 'linear-hash',
    weights: parameters.length,
    contributors: 10,
    precisionBits: 16,
    way,
    medianMs,
    minMs,
  }
  console.log(
    process.argv.includes('--json')
      ? JSON.stringify(row)
      : Object.entries(row)
          .map(([name, value]) => `${name} ${value}`)
          .join('  '),
  )
}
ring.dispose()
