import { describe, expect, it } from 'vitest'
import {
  drawGaussian,
  GAUSSIAN_CUMULATIVE,
  GAUSSIAN_TAIL,
  SAMPLER_DISTANCE_LOG2,
} from '../../src/crypto/discrete-gaussian.ts'
import { type Randomness, seededRandomness } from '../../src/crypto/randomness.ts'

const TABLE_BITS = 144n
const OUTCOMES = 2 * GAUSSIAN_TAIL + 1

/** exp(-k^2 / 89.78) in units of 2^-400, straight from the power series of each argument: not the table's recurrence. */
function idealWeight(k: number): bigint {
  const halvings = 8n
  const [numerator, denominator] = [BigInt(k) ** 2n * 100n, 8978n << halvings]
  let [sum, term] = [0n, 1n << 400n]
  for (let i = 1n; term !== 0n; i++) {
    sum += term
    term = (-term * numerator) / (denominator * i)
  }
  for (let i = 0n; i < halvings; i++) sum = (sum * sum) >> 400n
  return sum
}

/** The outcome that inversion by the definition gives for a draw of 144 bits. */
function invert(draw: bigint): number {
  return GAUSSIAN_CUMULATIVE.filter((step) => step <= draw).length - GAUSSIAN_TAIL
}

/** Serves the given bytes, request after request. */
function scripted(...parts: readonly Uint8Array[]): Randomness {
  let rest = Buffer.concat(parts)
  return {
    fill: (bytes) => {
      bytes.fill(0)
      bytes.set(rest.subarray(0, bytes.length))
      rest = rest.subarray(bytes.length)
    },
  }
}

describe('the discrete Gaussian sampler', () => {
  it('is closer to the ideal distribution than the bound it states, which is below 2^-64', () => {
    const reach = 200
    const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => idealWeight(i - reach))
    const total = weights.reduce((sum, weight) => sum + weight, 0n)
    // Twice the distance, in units of 2^-400.
    let difference = 0n
    for (let k = -reach; k <= reach; k++) {
      const ideal = (weights[k + reach] << 400n) / total
      const i = k + GAUSSIAN_TAIL
      const step = (at: number): bigint => GAUSSIAN_CUMULATIVE[at] ?? 0n
      const drawn = i >= 0 && i < OUTCOMES ? (step(i) - step(i - 1)) << (400n - TABLE_BITS) : 0n
      difference += drawn > ideal ? drawn - ideal : ideal - drawn
    }
    const distanceLog2 = difference.toString(2).length - 400 - 1
    expect(distanceLog2).toBeLessThanOrEqual(SAMPLER_DISTANCE_LOG2)
    expect(SAMPLER_DISTANCE_LOG2).toBeLessThan(-64)
  })

  it('has a cumulative table that is complete, increasing and symmetric', () => {
    expect(GAUSSIAN_CUMULATIVE.length).toBe(OUTCOMES)
    expect(GAUSSIAN_CUMULATIVE.at(-1)).toBe(1n << TABLE_BITS)
    for (let i = 1; i < OUTCOMES; i++) {
      expect(GAUSSIAN_CUMULATIVE[i] > GAUSSIAN_CUMULATIVE[i - 1]).toBe(true)
      const mirrored = (1n << TABLE_BITS) - GAUSSIAN_CUMULATIVE[OUTCOMES - 1 - i]
      const gap = GAUSSIAN_CUMULATIVE[i - 1] - mirrored
      expect(gap >= -1n && gap <= 1n).toBe(true)
    }
  })

  it('decides on either side of every step of the table as inversion by the definition does', () => {
    for (const step of GAUSSIAN_CUMULATIVE.slice(0, -1)) {
      for (const draw of [step - 1n, step, step + 1n]) {
        const head = Buffer.alloc(2)
        head.writeUInt16LE(Number(draw >> 128n))
        const words = Buffer.alloc(16)
        for (let i = 0; i < 4; i++) words.writeUInt32LE(Number((draw >> BigInt(96 - 32 * i)) & 0xffffffffn), 4 * i)
        const out = new Int8Array(1)
        drawGaussian(out, scripted(head, words))
        expect(out[0]).toBe(invert(draw))
      }
    }
  })

  it('decides each 16-bit head alone only when all its continuations agree', () => {
    const heads = Uint16Array.from({ length: 65_536 }, (_, i) => i)
    for (const fill of [0, 255]) {
      const out = new Int8Array(65_536)
      let served = 0
      drawGaussian(out, {
        fill: (bytes) => {
          // Heads come in batches of 16 KiB, refinements in pools of 1 KiB.
          if (bytes.length === 1024) bytes.fill(fill)
          else bytes.set(new Uint8Array(heads.buffer, served, bytes.length))
          if (bytes.length !== 1024) served += bytes.length
        },
      })
      const ends = fill === 0 ? 0n : (1n << 128n) - 1n
      let steps = 0
      for (let head = 0; head < 65_536; head++) {
        while (GAUSSIAN_CUMULATIVE[steps] <= (BigInt(head) << 128n) + ends) steps++
        if (out[head] !== steps - GAUSSIAN_TAIL) expect.fail(`head ${head} gives ${out[head]}`)
      }
    }
  })

  it('passes a chi-square test against the ideal probabilities, tails included', () => {
    const count = 2_000_000
    const out = new Int8Array(count)
    drawGaussian(out, seededRandomness(new Uint8Array(32).fill(7)))
    const seen = new Map<number, number>()
    for (const k of out) seen.set(k, (seen.get(k) ?? 0) + 1)
    const total = Array.from({ length: 401 }, (_, i) => Math.exp(-((i - 200) ** 2) / 89.78)).reduce((a, b) => a + b)
    // |k| <= 27 as cells of their own, both tails beyond (expected: 40 draws each) as one cell each.
    const expected = (k: number): number => (count * Math.exp(-(k ** 2) / 89.78)) / total
    let chiSquare = 0
    for (let k = -27; k <= 27; k++) chiSquare += ((seen.get(k) ?? 0) - expected(k)) ** 2 / expected(k)
    const tail = Array.from({ length: 60 }, (_, i) => expected(28 + i)).reduce((a, b) => a + b)
    for (const sign of [-1, 1]) {
      const beyond = [...seen].filter(([k]) => k * sign > 27).reduce((sum, [, times]) => sum + times, 0)
      chiSquare += (beyond - tail) ** 2 / tail
    }
    // 56 degrees of freedom: 99.9 % of ideal samplers stay below 94.5.
    expect(chiSquare).toBeLessThan(94.5)
    expect(Math.max(...seen.keys())).toBeLessThanOrEqual(45)
  })
})
