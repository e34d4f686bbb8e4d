import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf, sha256 } from '../../src/crypto/digest.ts'
import {
  addLinearHashes,
  type ChunkHasher,
  createChunkHasher,
  formatLinearHash,
  type LinearHash,
  parseLinearHash,
} from '../../src/crypto/linear-hash.ts'
import { chunkGeometry, type PayloadParameters, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { uniformPolynomials } from '../../src/crypto/public-polynomials.ts'
import { createRing, type Ring } from '../../src/crypto/ring.ts'
import { RING_DEGREE, RING_MODULUS } from '../../src/crypto/ring-constants.ts'
import vectors from '../vectors/linear-hash.json' with { type: 'json' }
import { modulo, packReference } from './reference.ts'

const CHUNK = 16 * RING_DEGREE
const challenge = Buffer.from(vectors.challenge, 'hex')
const challengeOf = (text: string | number) => sha256(Buffer.from(String(text)))

let ring: Ring

beforeAll(async () => {
  ring = await createRing()
})

afterAll(() => ring.dispose())

/** A vector that travels as so many coefficients. */
function shapeOf(coefficientCount: number): PayloadParameters {
  const { lanes } = payloadParameters({ precisionBits: 16, maxContributors: 10, length: 1 })
  return payloadParameters({ precisionBits: 16, maxContributors: 10, length: lanes * coefficientCount })
}

function packChunks(coefficients: readonly bigint[]): Uint8Array[] {
  const starts = Array.from({ length: Math.ceil(coefficients.length / CHUNK) }, (_, index) => index * CHUNK)
  return starts.map((start) => packReference(coefficients.slice(start, start + CHUNK)))
}

function withHasher<T>(
  parameters: PayloadParameters,
  under: Uint8Array,
  use: (hasher: ChunkHasher) => T,
  over = ring,
): T {
  const hasher = createChunkHasher(over, parameters, under)
  try {
    return use(hasher)
  } finally {
    hasher.dispose()
  }
}

function hashOf(coefficients: readonly bigint[], under: Uint8Array = challenge, over = ring): LinearHash {
  return withHasher(
    shapeOf(coefficients.length),
    under,
    (hasher) => {
      for (const [index, bytes] of packChunks(coefficients).entries()) hasher.add(index, bytes)
      return hasher.hash()
    },
    over,
  )
}

function weightPolynomial(under: Uint8Array, index: number): BigUint64Array {
  const words = new Uint32Array(2 * RING_DEGREE)
  uniformPolynomials(Buffer.from('sluice/linear-hash/v1'), under).expand(index, words)
  return new BigUint64Array(words.buffer)
}

/** The definition, in big integers. */
function reference(coefficients: readonly bigint[], under: Uint8Array): bigint[] {
  const [sigma, rho] = [weightPolynomial(under, 2), weightPolynomial(under, 3)]
  return [0, 1].map((r) => {
    const omega = weightPolynomial(under, r)
    const sum = coefficients.reduce((total, c, n) => {
      const [g, i] = [Math.floor(n / CHUNK), Math.floor(n / RING_DEGREE) % 16]
      const weight = BigInt.asUintN(53, rho[2 * g + r]) * sigma[2 * i + r] * omega[n % RING_DEGREE]
      return (total + weight * c) % RING_MODULUS
    }, 0n)
    return sum
  })
}

const residue = fc.oneof(fc.bigInt(0n, RING_MODULUS - 1n), fc.constantFrom(0n, 1n, RING_MODULUS - 1n, 2n ** 53n))

/** Residues that look like a ciphertext's. */
function spread(count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => (BigInt(i) * 0x123456789abcdefn + 5n) % RING_MODULUS)
}

describe('the linear hash', () => {
  it('has the known answers for short vectors, and adds up in them', () => {
    expect(vectors.modulus).toBe(String(RING_MODULUS))
    for (const { coefficients, packed, hash } of vectors.small) {
      const [bytes] = packChunks(coefficients.map(BigInt))
      expect(Buffer.from(bytes).toString('hex')).toBe(packed)
      expect(formatLinearHash(hashOf(coefficients.map(BigInt)))).toBe(hash)
    }
    const [first, second, sum] = vectors.small.map(({ hash }) => parseLinearHash(hash))
    expect(addLinearHashes([first, second])).toEqual(sum)
  })

  it('has the known answer for two chunks, the last with part of a polynomial, whichever way they reach SEAL', async () => {
    const { coefficientCount, square, linear, constant, packedSha256, hash } = vectors.long
    const [a, b, c] = [square, linear, constant].map(BigInt)
    const coefficients = Array.from({ length: coefficientCount }, (_, i) =>
      modulo(a * BigInt(i) ** 2n + b * BigInt(i) + c),
    )
    expect(digestOf(packReference(coefficients))).toBe(packedSha256)
    const serialised = await createRing('serialised')
    for (const over of [ring, serialised]) expect(formatLinearHash(hashOf(coefficients, challenge, over))).toBe(hash)
    serialised.dispose()
  })

  it('has the known answer for a chunk whose weights are in another polynomial', () => {
    const { chunk, coefficients, hash } = vectors.far
    const [bytes] = packChunks(coefficients.map(BigInt))
    withHasher(shapeOf(chunk * CHUNK + coefficients.length), challenge, (hasher) => {
      hasher.add(chunk, bytes)
      expect(formatLinearHash(hasher.hash())).toBe(hash)
    })
  })

  it('is that of the definition, at the borders of polynomials and chunks', () => {
    for (const count of [1, 2, 3, 4, 2047, 2048, 2049, 4096, CHUNK - 1, CHUNK, CHUNK + 1]) {
      expect([...hashOf(spread(count))]).toEqual(reference(spread(count), challenge))
    }
  })

  it('adds up: the hashes of any ciphertexts give the hash of their sum modulo q', () => {
    const vector = fc.array(residue, { minLength: 9, maxLength: 9 })
    fc.assert(
      fc.property(fc.array(vector, { maxLength: 12 }), fc.nat(), (contributions, seed) => {
        const sum = Array.from({ length: 9 }, (_, k) => modulo(contributions.reduce((total, c) => total + c[k], 0n)))
        const under = challengeOf(seed)
        expect(addLinearHashes(contributions.map((c) => hashOf(c, under)))).toEqual(hashOf(sum, under))
      }),
    )
  })

  it('differs when any one coefficient does, by however little', () => {
    const coefficients = spread(2500)
    fc.assert(
      fc.property(fc.nat(2499), fc.constantFrom(1n, -1n, 2n ** 53n), fc.nat(), (at, offset, seed) => {
        const changed = coefficients.with(at, modulo(coefficients[at] + offset))
        const [ours, theirs] = [coefficients, changed].map((c) => hashOf(c, challengeOf(seed)))
        expect(theirs[0]).not.toBe(ours[0])
        expect(theirs[1]).not.toBe(ours[1])
      }),
      { numRuns: 20, examples: [[2499, 1n, 1]] },
    )
  })

  it('does not depend on the order of chunks, nor on who hashed them', () => {
    const coefficients = spread(2 * CHUNK + 1)
    const parameters = shapeOf(coefficients.length)
    const chunks = packChunks(coefficients)
    const parts = [[2, 0], [1]].map((mine) =>
      withHasher(parameters, challenge, (hasher) => {
        for (const index of mine) hasher.add(index, chunks[index])
        return hasher.hash()
      }),
    )
    expect(addLinearHashes(parts)).toEqual(hashOf(coefficients))
  })

  it('refuses what is not a chunk, by name, and is then as before', () => {
    const coefficients = spread(4099)
    const parameters = shapeOf(coefficients.length)
    const [bytes] = packChunks(coefficients)
    const padded = bytes.with(bytes.length - 1, 0xff)
    const tooLarge = packReference(coefficients.with(4098, RING_MODULUS))
    withHasher(parameters, challenge, (hasher) => {
      const refusals: [number, Uint8Array, string][] = [
        [1, bytes, 'chunk-out-of-range'],
        [0, bytes.subarray(1), 'wrong-length'],
        [0, padded, 'padding-not-zero'],
        [0, tooLarge, 'residue-not-canonical'],
      ]
      for (const [index, refused, code] of refusals) {
        expect(() => hasher.add(index, refused)).toThrow(expect.objectContaining({ code }))
      }
      expect(hasher.hash()).toEqual([0n, 0n])
      hasher.add(0, bytes)
      expect(hasher.hash()).toEqual(hashOf(coefficients))
    })
    expect(chunkGeometry(parameters, 0).bytes).toBe(bytes.length)
    expect(() => createChunkHasher(ring, parameters, challenge.subarray(1))).toThrow(
      expect.objectContaining({ code: 'digest-not-256-bits' }),
    )
  })

  it('leaves nothing of a longer chunk in a shorter one', () => {
    const long = hashOf(spread(CHUNK))
    expect(hashOf(spread(1))).toEqual(reference(spread(1), challenge))
    expect(hashOf(spread(CHUNK))).toEqual(long)
  })
})

describe('a coordinator that publishes a wrong sum', () => {
  const sum = spread(5000)
  const at = [17, 1800, 2047]

  /** A difference in three coefficients, orthogonal to the weights of both repetitions. */
  function differenceUnder(guess: Uint8Array): bigint[] {
    const [x, y] = [0, 1].map((r) => at.map((k) => weightPolynomial(guess, r)[k]))
    return [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]].map(modulo)
  }

  function wrongSum(guess: Uint8Array): bigint[] {
    const wrong = sum.slice()
    for (const [i, difference] of differenceUnder(guess).entries()) wrong[at[i]] = modulo(wrong[at[i]] + difference)
    return wrong
  }

  it('passes when it knows the challenge before the sum is fixed', () => {
    const wrong = wrongSum(challenge)
    expect(wrong).not.toEqual(sum)
    expect(hashOf(wrong, challenge)).toEqual(hashOf(sum, challenge))
  })

  it('is found under a challenge that was fixed after the ciphertexts', () => {
    const wrong = wrongSum(challengeOf('a guess'))
    const [ours, theirs] = [hashOf(sum, challenge), hashOf(wrong, challenge)]
    expect(theirs[0]).not.toBe(ours[0])
    expect(theirs[1]).not.toBe(ours[1])
  })
})

describe('the text of a linear hash', () => {
  it('comes back, and is the only one', () => {
    fc.assert(
      fc.property(residue, residue, (first, second) => {
        const text = formatLinearHash([first, second])
        expect(text).toMatch(/^[0-9a-f]{32}$/)
        expect(parseLinearHash(text)).toEqual([first, second])
      }),
    )
    expect(formatLinearHash([1n, RING_MODULUS - 1n])).toBe('0000000000000001003ffffffffed000')
  })

  it('is refused in another form or with a number that is not below q', () => {
    const q = RING_MODULUS.toString(16).padStart(16, '0')
    const zero = '0'.repeat(16)
    const good = formatLinearHash([10n, 11n])
    const bad = [`${q}${zero}`, `${zero}${q}`, 'f'.repeat(32), '', zero, `${good}0`, good.toUpperCase(), `${good}\n`]
    for (const text of bad) expect(() => parseLinearHash(text)).toThrow(expect.objectContaining({ code: 'bad-hash' }))
  })
})
