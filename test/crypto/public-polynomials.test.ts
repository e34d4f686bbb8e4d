import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { clampToResidues, publicPolynomials } from '../../src/crypto/public-polynomials.ts'
import { RING_DEGREE, RING_MODULUS } from '../../src/crypto/ring-constants.ts'
import vectors from '../vectors/public-polynomials.json' with { type: 'json' }
import { fromWords, toWords } from './reference.ts'

const planDigest = Buffer.from(vectors.planDigest, 'hex')
const WORDS = 2 * RING_DEGREE

describe('the public polynomials', () => {
  it('are the known answers', () => {
    expect(vectors.modulus).toBe(String(RING_MODULUS))
    for (const { index, firstCoefficients, lastCoefficient, sha256 } of vectors.polynomials) {
      const words = new Uint32Array(WORDS)
      publicPolynomials(planDigest).expand(index, words)
      const coefficients = fromWords(words).map(String)
      expect(coefficients.slice(0, firstCoefficients.length)).toEqual(firstCoefficients)
      expect(coefficients.at(-1)).toBe(lastCoefficient)
      expect(createHash('sha256').update(new Uint8Array(words.buffer)).digest('hex')).toBe(sha256)
    }
  })

  it('are the same expanded alone and in a run', () => {
    const run = new Uint32Array(5 * WORDS)
    publicPolynomials(planDigest).expand(14, run)
    for (let i = 0; i < 5; i++) {
      const alone = new Uint32Array(WORDS)
      publicPolynomials(planDigest).expand(14 + i, alone)
      expect(run.subarray(i * WORDS, (i + 1) * WORDS)).toEqual(alone)
    }
  })

  it('differ for another plan, and refuse a digest that is not 256 bits', () => {
    const [ours, theirs] = [planDigest, planDigest.map((byte) => byte ^ 1)].map((digest) => {
      const words = new Uint32Array(WORDS)
      publicPolynomials(digest).expand(0, words)
      return words
    })
    expect(ours).not.toEqual(theirs)
    expect(() => publicPolynomials(planDigest.subarray(0, 20))).toThrow(
      expect.objectContaining({ code: 'digest-not-256-bits' }),
    )
  })

  it('replace draws that are not below q, in order and as often as needed, and keep the largest residue', () => {
    const over = RING_MODULUS + 5n
    const most = (1n << 54n) - 1n
    // The ten bits above the 54 are noise that must be cut.
    const noisy = (residue: bigint): bigint => residue | (0x2a5n << 54n)
    const draws = [noisy(1n), noisy(over), noisy(RING_MODULUS - 1n), noisy(most), noisy(RING_MODULUS), 9n, 8n, 7n]
    const words = toWords(draws)
    const replacements = [noisy(over), noisy(100n), noisy(RING_MODULUS), noisy(most), noisy(101n), noisy(102n), 103n]
    const served = replacements.map((draw): [number, number] => [Number(draw & 0xffffffffn), Number(draw >> 32n)])
    clampToResidues(words, () => served.values())
    expect(fromWords(words)).toEqual([1n, 100n, RING_MODULUS - 1n, 101n, 102n, 9n, 8n, 7n])
  })
})
