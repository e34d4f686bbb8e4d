/** N: coefficients of one polynomial in R_q = Z_q[X] / (X^N + 1). */
export const RING_DEGREE = 2048

/** Bits of one residue, in the ring and on the wire. */
export const RESIDUE_BITS = 54

/** q = 2^54 - 77823, the prime that SEAL's `CoeffModulus.Create(2048, [54])` gives; q = 1 mod 2N, for the NTT. */
export const RING_MODULUS = 0x3ffffffffed001n

/**
 * Residues are held as two limbs of 27 bits: 32 limbs fill 27 words of 32 bits exactly, and a word has room for the sum of
 * 31 limbs.
 */
export const LIMB_BITS = 27
export const LIMB_MASK = 2 ** LIMB_BITS - 1

/** 2^54 - q, below 2^17: what is added to reduce modulo q when bit 54 falls off. */
export const MODULUS_GAP = 77823

/** The low limb of q; its high limb is LIMB_MASK. */
export const MODULUS_LOW_LIMB = 2 ** LIMB_BITS - MODULUS_GAP

/** SEAL carries at most 16 polynomials in one ciphertext. */
export const POLYNOMIALS_PER_LOAD = 16
