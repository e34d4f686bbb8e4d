import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandomness } from '../../src/crypto/randomness.ts'
import { createRing, type Ring } from '../../src/crypto/ring.ts'
import { RING_DEGREE, RING_MODULUS } from '../../src/crypto/ring-constants.ts'
import { fromWords, modulo, negacyclicProduct, toWords } from './reference.ts'

let direct: Ring
let serialised: Ring

beforeAll(async () => {
  direct = await createRing()
  serialised = await createRing('serialised')
})

afterAll(() => {
  direct.dispose()
  serialised.dispose()
})

const randomness = seededRandomness(new Uint8Array(32).fill(3))

function uniformPolynomial(): bigint[] {
  const words = new BigUint64Array(RING_DEGREE)
  randomness.fill(new Uint8Array(words.buffer))
  return [...words].map((word) => word % RING_MODULUS)
}

function smallKey(): Int32Array {
  const bytes = new Int8Array(RING_DEGREE)
  randomness.fill(new Uint8Array(bytes.buffer))
  return Int32Array.from(bytes, (byte) => byte % 94)
}

function product(ring: Ring, key: Int32Array, operands: readonly bigint[][]): bigint[][] {
  const ringKey = ring.transformKey(key)
  ring.operands(operands.length).set(toWords(operands.flat()))
  const coefficients = fromWords(ring.multiply(ringKey, operands.length))
  ringKey.dispose()
  return operands.map((_, i) => coefficients.slice(i * RING_DEGREE, (i + 1) * RING_DEGREE))
}

describe('the ring on SEAL', () => {
  it('reaches polynomials in place with the installed node-seal, and through serialisation when told to', () => {
    expect(direct.access).toBe('direct')
    expect(serialised.access).toBe('serialised')
  })

  it('multiplies in Z_q[X]/(X^2048+1), as the definition in big integers does', () => {
    const key = smallKey()
    const one = Int32Array.from({ length: RING_DEGREE }, (_, i) => (i === 0 ? 1 : 0))
    const operand = uniformPolynomial()
    // Operands are in NTT form: multiplied by one they show their coefficients.
    const [coefficients] = product(direct, one, [operand])
    const [got] = product(direct, key, [operand])
    const expected = negacyclicProduct(
      coefficients,
      [...key].map((c) => modulo(BigInt(c))),
    )
    expect(got).toEqual(expected)
  })

  it('gives the same products both ways, for every number of polynomials that SEAL takes', () => {
    for (let count = 1; count <= 16; count++) {
      const key = smallKey()
      const operands = Array.from({ length: count }, uniformPolynomial)
      expect(product(direct, key, operands)).toEqual(product(serialised, key, operands))
    }
  })

  it('keeps keys apart, also when their use alternates with growing and shrinking loads', () => {
    const keys = [smallKey(), smallKey()]
    const ringKeys = keys.map((key) => direct.transformKey(key))
    const operands = [uniformPolynomial(), uniformPolynomial(), uniformPolynomial()]
    for (const count of [3, 1, 2, 3]) {
      for (const [k, key] of keys.entries()) {
        direct.operands(count).set(toWords(operands.slice(0, count).flat()))
        const got = fromWords(direct.multiply(ringKeys[k], count))
        expect(got).toEqual(product(serialised, key, operands.slice(0, count)).flat())
      }
    }
    for (const ringKey of ringKeys) ringKey.dispose()
  })

  it('multiplies residue by residue, as big integers do, by a polynomial of any residues', () => {
    const factor = uniformPolynomial()
      .with(0, 0n)
      .with(1, RING_MODULUS - 1n)
    const operands = Array.from({ length: 16 }, uniformPolynomial)
    const expected = operands.flatMap((operand) => operand.map((residue, k) => modulo(residue * factor[k])))
    for (const ring of [direct, serialised]) {
      for (const count of [1, 16]) {
        const key = ring.loadKey(toWords(factor))
        ring.operands(count).set(toWords(operands.slice(0, count).flat()))
        const got = fromWords(ring.multiplyResidues(key, count))
        expect(got).toEqual(expected.slice(0, count * RING_DEGREE))
        key.dispose()
      }
    }
  })

  it('adds weighted terms up, as big integers do, when they are shorter than the sum and than one another, too', () => {
    const terms = [16, 1, 3, 2, 1].map((count) => Array.from({ length: count }, uniformPolynomial).flat())
    const weights = [Number.MAX_SAFE_INTEGER, 0, 1, 2 ** 52, 2 ** 52 + 12_345]
    const expected = Array.from({ length: 16 * RING_DEGREE }, (_, k) =>
      modulo(terms.reduce((sum, term, i) => sum + BigInt(weights[i]) * (term[k] ?? 0n), 0n)),
    )
    for (const ring of [direct, serialised]) {
      const [sum, twice] = [ring.createSum(), ring.createSum()]
      for (const [i, term] of terms.entries()) {
        const count = term.length / RING_DEGREE
        ring.term(count).set(toWords(term))
        sum.add(weights[i], count)
        for (let times = 0; times < 2; times++) twice.add(weights[i], count)
      }
      expect(fromWords(sum.read())).toEqual(expected)
      expect(fromWords(twice.read())).toEqual(expected.map((residue) => modulo(2n * residue)))
      sum.dispose()
      twice.dispose()
    }
  })

  it('refuses a key that was disposed of', () => {
    const ringKey = direct.transformKey(smallKey())
    ringKey.dispose()
    ringKey.dispose()
    expect(() => direct.multiply(ringKey, 1)).toThrow(expect.objectContaining({ code: 'already-disposed' }))
  })
})
