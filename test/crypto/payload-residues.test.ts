import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ADDITIONS_BEFORE_REDUCTION, addErrors, reduceOnce, reduceSums, unmask } from '../../src/crypto/residues.ts'
import { RING_MODULUS } from '../../src/crypto/ring-constants.ts'
import { fromLimbs, modulo, toLimbs, toWords } from './reference.ts'

const residue = fc.oneof(
  fc.bigInt(0n, RING_MODULUS - 1n),
  fc.bigInt(0n, 200n),
  fc.bigInt(RING_MODULUS - 200n, RING_MODULUS - 1n),
  fc.bigInt(-200n, 200n).map((offset) => 2n ** 27n * 12_345n + offset),
  fc.bigInt(-200n, 200n).map((offset) => 2n ** 53n + offset),
  fc.bigInt(RING_MODULUS - 2n ** 27n, RING_MODULUS - 1n),
)
const residues = fc.array(residue, { minLength: 1, maxLength: 20 })
const pairs = fc.array(fc.tuple(residue, residue), { minLength: 1, maxLength: 20 })

describe('arithmetic modulo q on limbs', () => {
  it('adds errors of either sign, also across 0 and q', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(residue, fc.integer({ min: -93, max: 93 })), { minLength: 1 }), (cases) => {
        const limbs = new Uint32Array(2 * cases.length)
        const words = toWords(cases.map(([value]) => value))
        addErrors(
          words,
          Int8Array.from(cases, ([, error]) => error),
          limbs,
        )
        expect(fromLimbs(limbs)).toEqual(cases.map(([value, error]) => modulo(value + BigInt(error))))
      }),
    )
  })

  it('crosses 0 and q at the very ends', () => {
    const ends = [0n, 93n, RING_MODULUS - 1n, RING_MODULUS - 93n]
    for (const error of [-93, -1, 1, 93]) {
      const limbs = new Uint32Array(2 * ends.length)
      addErrors(toWords(ends), new Int8Array(ends.length).fill(error), limbs)
      expect(fromLimbs(limbs)).toEqual(ends.map((value) => modulo(value + BigInt(error))))
    }
  })

  it('reduces a sum of two', () => {
    fc.assert(
      fc.property(pairs, (cases) => {
        const limbs = toLimbs(cases.map(([a]) => a))
        for (const [i, limb] of toLimbs(cases.map(([, b]) => b)).entries()) limbs[i] += limb
        reduceOnce(limbs)
        expect(fromLimbs(limbs)).toEqual(cases.map(([a, b]) => modulo(a + b)))
      }),
    )
  })

  it('reduces as many unreduced additions as it says it does', () => {
    fc.assert(
      fc.property(
        residues,
        residue,
        fc.integer({ min: 0, max: ADDITIONS_BEFORE_REDUCTION }),
        (values, first, times) => {
          const added = toLimbs(values)
          const limbs = toLimbs(values.map(() => first))
          for (let t = 0; t < times; t++) for (const [i, limb] of added.entries()) limbs[i] += limb
          reduceSums(limbs)
          expect(fromLimbs(limbs)).toEqual(values.map((value) => modulo(first + BigInt(times) * value)))
        },
      ),
    )
    const most = toLimbs([RING_MODULUS - 1n])
    const limbs = most.slice()
    for (let t = 0; t < ADDITIONS_BEFORE_REDUCTION; t++) for (const i of [0, 1]) limbs[i] += most[i]
    reduceSums(limbs)
    expect(fromLimbs(limbs)).toEqual([modulo(-BigInt(ADDITIONS_BEFORE_REDUCTION) - 1n)])
  })

  it('takes a mask off and tells whether the noise is within bounds', () => {
    fc.assert(
      fc.property(pairs, fc.integer({ min: 9, max: 16 }), (cases, deltaBits) => {
        const limbs = new Uint32Array(2 * cases.length)
        const delta = 2n ** BigInt(deltaBits)
        const isWithin = unmask(toLimbs(cases.map(([a]) => a)), toWords(cases.map(([, b]) => b)), deltaBits, limbs)
        const opened = cases.map(([sum, product]) => modulo(sum - product + delta / 2n))
        expect(fromLimbs(limbs)).toEqual(opened)
        const noises = opened.map((value) => (value % delta) - delta / 2n)
        expect(isWithin).toBe(noises.every((noise) => 8n * noise < 3n * delta && -8n * noise < 3n * delta))
      }),
    )
  })
})
