import { RING_DEGREE, RING_MODULUS } from '../../src/crypto/ring-constants.ts'

/** The wire format and the ring in big integers, as the specification says them: what the fast code is compared with. */

/** 54 bits for each residue, least significant bit first, zero bits up to the next byte. */
export function packReference(residues: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((54 * residues.length) / 8))
  residues.forEach((residue, i) => {
    for (let bit = 0; bit < 54; bit++) {
      const at = 54 * i + bit
      if ((residue >> BigInt(bit)) & 1n) bytes[at >> 3] |= 1 << (at & 7)
    }
  })
  return bytes
}

export function unpackReference(bytes: Uint8Array, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => {
    let residue = 0n
    for (let bit = 53; bit >= 0; bit--) {
      const at = 54 * i + bit
      residue = (residue << 1n) | BigInt((bytes[at >> 3] >> (at & 7)) & 1)
    }
    return residue
  })
}

/** Adds `offset` (possibly negative) to one residue of a packed chunk, modulo q. */
export function shiftResidue(bytes: Uint8Array, count: number, coefficient: number, offset: bigint): Uint8Array {
  const residues = unpackReference(bytes, count)
  residues[coefficient] = modulo(residues[coefficient] + offset)
  return packReference(residues)
}

export function modulo(value: bigint): bigint {
  const rest = value % RING_MODULUS
  return rest < 0n ? rest + RING_MODULUS : rest
}

/** a * b in Z_q[X] / (X^2048 + 1), by the definition. */
export function negacyclicProduct(a: readonly bigint[], b: readonly bigint[]): bigint[] {
  const product = new Array<bigint>(RING_DEGREE).fill(0n)
  a.forEach((x, i) => {
    if (x === 0n) return
    b.forEach((y, j) => {
      const at = (i + j) % RING_DEGREE
      product[at] += i + j < RING_DEGREE ? x * y : -x * y
    })
  })
  return product.map(modulo)
}

/** Residues as the pairs of 32-bit words in which SEAL holds them. */
export function toWords(residues: readonly bigint[]): Uint32Array {
  return new Uint32Array(BigUint64Array.from(residues).buffer)
}

export function fromWords(words: Uint32Array): bigint[] {
  return [...new BigUint64Array(words.slice().buffer)]
}

/** Residues as pairs of 27-bit limbs. */
export function toLimbs(residues: readonly bigint[]): Uint32Array {
  return Uint32Array.from(residues.flatMap((residue) => [Number(residue & 0x7ffffffn), Number(residue >> 27n)]))
}

export function fromLimbs(limbs: Uint32Array): bigint[] {
  return Array.from({ length: limbs.length / 2 }, (_, i) => BigInt(limbs[2 * i]) + (BigInt(limbs[2 * i + 1]) << 27n))
}
