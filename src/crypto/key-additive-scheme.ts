import { CryptoError } from './crypto-error.ts'
import { drawGaussian } from './discrete-gaussian.ts'
import { addMessage, checkValues, readSums } from './lanes.ts'
import { createChunkHasher } from './linear-hash.ts'
import type { OneTimeKey } from './one-time-key.ts'
import { addPacked, packResidues } from './packing.ts'
import {
  type ChunkGeometry,
  COEFFICIENTS_PER_CHUNK,
  CONTRIBUTORS_LIMIT,
  chunkGeometry,
  isPlausibleKeySum,
  type PayloadParameters,
  requireValueCount,
} from './payload-parameters.ts'
import type { ChunkAccumulator, ChunkProtector, Pad, PayloadScheme, PreparedKeySum } from './payload-scheme.ts'
import { type PublicPolynomials, publicPolynomials } from './public-polynomials.ts'
import { ADDITIONS_BEFORE_REDUCTION, addErrors, reduceOnce, reduceSums, unmask } from './residues.ts'
import { createRing, POLYNOMIAL_WORDS, type Ring, type RingKey } from './ring.ts'

/** The name of this scheme in a plan. */
export const KEY_ADDITIVE_RLWE = 'kahe-rlwe-2048-54'

/**
 * Key-additive RLWE over SEAL: contribution i to chunk j is c = a_j * s_i + e_ij + Delta * m_ij, and the sum of
 * contributions opens under the sum of keys. Mathematics and security: docs/PROTOCOL.md, "Payload", and
 * docs/adr/0003-payload-parameters.md (Kim, Lee, Seo, Song, CRYPTO 2023; Willow, ePrint 2024/936).
 *
 * @throws CryptoError `ring-unavailable` | `platform-unsupported`
 */
export async function createKeyAdditiveScheme(ring?: Ring): Promise<PayloadScheme> {
  const arithmetic = ring ?? (await createRing())
  const scratch = createScratch()
  const ringKeys = new WeakMap<PreparedKeySum, { coefficients: Int32Array; ringKey: RingKey }>()
  return {
    name: KEY_ADDITIVE_RLWE,
    createProtector: (parameters, planDigest, key) => createProtector(arithmetic, scratch, parameters, planDigest, key),
    createAccumulator: (parameters, planDigest, chunkIndex) => {
      const geometry = chunkGeometry(parameters, chunkIndex)
      const sum = createSum(scratch, parameters, geometry)
      const opener = createOpener(arithmetic, scratch, parameters, geometry, publicPolynomials(planDigest))
      return {
        chunkIndex,
        get contributorCount() {
          return sum.contributorCount
        },
        add: (bytes) => sum.add(bytes, 1),
        addSum: sum.add,
        pack: sum.pack,
        expandAhead: opener.expandAhead,
        open: (prepared) => {
          const keySum = ringKeys.get(prepared)
          if (keySum === undefined) throw new CryptoError('already-disposed', 'Prepare the key sum again.')
          return opener.open(sum.reduced(), sum.contributorCount, keySum)
        },
        dispose: sum.dispose,
      } satisfies ChunkAccumulator
    },
    prepareKeySum: (keySum) => {
      if (!isPlausibleKeySum(keySum, CONTRIBUTORS_LIMIT)) throw implausibleKeySum()
      const ringKey = arithmetic.transformKey(keySum)
      const coefficients = keySum.slice()
      const prepared: PreparedKeySum = {
        dispose: () => {
          ringKeys.delete(prepared)
          coefficients.fill(0)
          ringKey.dispose()
        },
      }
      ringKeys.set(prepared, { coefficients, ringKey })
      return prepared
    },
    createHasher: (parameters, challenge) => createChunkHasher(arithmetic, parameters, challenge),
    dispose: () => arithmetic.dispose(),
  }
}

/**
 * Buffers that every chunk needs for a moment. Reused, because fresh pages from the system cost as much as the arithmetic;
 * what was secret in them is overwritten before they are given back.
 */
interface Scratch {
  readonly errors: Int8Array
  takeLimbs(coefficientCount: number): Uint32Array
  giveBack(limbs: Uint32Array): void
}

function createScratch(): Scratch {
  const free: ArrayBufferLike[] = []
  return {
    errors: new Int8Array(COEFFICIENTS_PER_CHUNK),
    takeLimbs: (coefficientCount) => {
      const wanted = 2 * coefficientCount
      if (coefficientCount < COEFFICIENTS_PER_CHUNK) return new Uint32Array(wanted)
      return new Uint32Array(free.pop() ?? new ArrayBuffer(4 * wanted))
    },
    giveBack: (limbs) => {
      limbs.fill(0)
      if (limbs.length === 2 * COEFFICIENTS_PER_CHUNK && free.length < 4) free.push(limbs.buffer)
    },
  }
}

function createProtector(
  ring: Ring,
  scratch: Scratch,
  parameters: PayloadParameters,
  planDigest: Uint8Array,
  key: OneTimeKey,
): ChunkProtector {
  const polynomials = publicPolynomials(planDigest)
  key.bindTo(planDigest)
  const ringKey = ring.transformKey(key.coefficients)
  key.whenDisposed(() => ringKey.dispose())
  return {
    preparePad: (chunkIndex) => {
      const geometry = chunkGeometry(parameters, chunkIndex)
      key.claimPad(chunkIndex)
      const errors = scratch.errors.subarray(0, geometry.coefficientCount)
      drawGaussian(errors, key.errorRandomness(chunkIndex))
      polynomials.expand(geometry.firstPolynomial, ring.operands(geometry.polynomialCount))
      const products = ring.multiply(ringKey, geometry.polynomialCount)
      const limbs = scratch.takeLimbs(geometry.coefficientCount)
      addErrors(products, errors, limbs)
      errors.fill(0)
      return createPad(scratch, parameters, geometry, limbs)
    },
  }
}

function createPad(scratch: Scratch, parameters: PayloadParameters, geometry: ChunkGeometry, mask: Uint32Array): Pad {
  let limbs: Uint32Array | undefined = mask
  const erase = (): void => {
    if (limbs !== undefined) scratch.giveBack(limbs)
    limbs = undefined
  }
  return {
    chunkIndex: geometry.index,
    protect: (values) => {
      if (limbs === undefined) {
        throw new CryptoError('pad-already-used', 'A pad masks one chunk once: draw a new key for other values.')
      }
      requireValueCount(geometry, values.length)
      checkValues(values, parameters.precisionBits)
      addMessage(values, parameters, limbs)
      reduceOnce(limbs)
      const bytes = packResidues(limbs, geometry.coefficientCount)
      erase()
      return bytes
    },
    dispose: erase,
  }
}

/** The sum of contributions, limb by limb, reduced when a limb could overflow. */
function createSum(scratch: Scratch, parameters: PayloadParameters, geometry: ChunkGeometry) {
  let held: Uint32Array | undefined = scratch.takeLimbs(geometry.coefficientCount)
  let contributorCount = 0
  let unreduced = 0
  const alive = (): Uint32Array => {
    if (held === undefined)
      throw new CryptoError('already-disposed', 'This sum was dropped: add the contributions anew.')
    return held
  }
  const reduced = (): Uint32Array => {
    const limbs = alive()
    if (unreduced > 0) reduceSums(limbs)
    unreduced = 0
    return limbs
  }
  return {
    reduced,
    get contributorCount() {
      return contributorCount
    },
    add: (bytes: Uint8Array, contributors: number): void => {
      if (!Number.isSafeInteger(contributors) || contributors < 1) {
        throw new CryptoError('parameters-out-of-range', 'A sum stands for one contributor or more.')
      }
      if (contributorCount + contributors > parameters.maxContributors) {
        throw new CryptoError(
          'too-many-contributors',
          `The plan allows ${parameters.maxContributors} contributors in one sum: split them into groups.`,
        )
      }
      const limbs = unreduced === ADDITIONS_BEFORE_REDUCTION ? reduced() : alive()
      addPacked(bytes, geometry.coefficientCount, limbs)
      contributorCount += contributors
      unreduced++
    },
    pack: (): Uint8Array => {
      if (contributorCount === 0) throw nothingToOpen()
      return packResidues(reduced(), geometry.coefficientCount)
    },
    dispose: (): void => {
      if (held !== undefined) scratch.giveBack(held)
      held = undefined
    },
  }
}

function createOpener(
  ring: Ring,
  scratch: Scratch,
  parameters: PayloadParameters,
  geometry: ChunkGeometry,
  polynomials: PublicPolynomials,
) {
  let expanded: Uint32Array | undefined
  return {
    expandAhead: (): void => {
      if (expanded !== undefined) return
      expanded = new Uint32Array(geometry.polynomialCount * POLYNOMIAL_WORDS)
      polynomials.expand(geometry.firstPolynomial, expanded)
    },
    open: (
      sums: Uint32Array,
      contributorCount: number,
      { coefficients, ringKey }: { coefficients: Int32Array; ringKey: RingKey },
    ): Float64Array => {
      if (contributorCount === 0) throw nothingToOpen()
      if (!isPlausibleKeySum(coefficients, contributorCount)) throw implausibleKeySum()
      const operands = ring.operands(geometry.polynomialCount)
      if (expanded === undefined) polynomials.expand(geometry.firstPolynomial, operands)
      else operands.set(expanded)
      const products = ring.multiply(ringKey, geometry.polynomialCount)
      const opened = scratch.takeLimbs(geometry.coefficientCount)
      const values = new Float64Array(geometry.valueCount)
      try {
        if (!unmask(sums, products, parameters.deltaBits, opened)) throw noiseOutOfBounds()
        readSums(opened, parameters, contributorCount, values)
      } finally {
        scratch.giveBack(opened)
      }
      return values
    },
  }
}

function nothingToOpen(): CryptoError {
  return new CryptoError('nothing-to-open', 'Add the contributions before opening or packing their sum.')
}

function implausibleKeySum(): CryptoError {
  return new CryptoError(
    'key-sum-implausible',
    'The key sum is longer than these contributors can make it: a share is missing or wrong. Check the share sums.',
  )
}

function noiseOutOfBounds(): CryptoError {
  return new CryptoError(
    'noise-out-of-bounds',
    'The sum does not open: the key sum belongs to another set of contributions or another plan, or a contribution was ' +
      'mauled. Check the manifest against what was added.',
  )
}
