import { CryptoError } from './crypto-error.ts'
import { packedBytes } from './payload-parameters.ts'
import { LIMB_BITS, LIMB_MASK, MODULUS_LOW_LIMB, RESIDUE_BITS, RING_MODULUS } from './ring-constants.ts'

/**
 * The wire format of a chunk: its residues as one stream of bits, 54 for each, least significant bit first, in the order
 * of the coefficients; the last byte is filled up with zero bits. Nothing else: which chunk of what it is, the message
 * around it says. A residue is held in memory as two limbs of 27 bits, low and high, in neighbouring elements, so 16
 * residues are 32 limbs and fill 27 words of 32 bits: everything below works in such groups.
 */
const GROUP_RESIDUES = 16
const GROUP_LIMBS = 2 * GROUP_RESIDUES
const GROUP_WORDS = (GROUP_LIMBS * LIMB_BITS) / 32
const GROUP_BYTES = 4 * GROUP_WORDS

/** The least number of residues that fill whole bytes. */
const RESIDUES_PER_27_BYTES = 4

/** The upper 22 bits of a residue in SEAL's form; all set in q, too. */
const HIGH_WORD_MASK = 2 ** (RESIDUE_BITS - 32) - 1
const MODULUS_LOW_WORD = Number(RING_MODULUS & 0xffffffffn)

// An imported constant is not folded into the machine code; one of the same module is.
const BITS = LIMB_BITS
const MASK = LIMB_MASK

/**
 * Packs the first `coefficientCount` residues of `limbs`, which must be reduced (below q).
 *
 * @returns a buffer of its own, `packedBytes(coefficientCount)` bytes, fit for transfer to another thread
 */
export function packResidues(limbs: Uint32Array, coefficientCount: number): Uint8Array {
  const groups = Math.floor(coefficientCount / GROUP_RESIDUES)
  const bytes = new Uint8Array(packedBytes(coefficientCount))
  const words = new Uint32Array(bytes.buffer, 0, groups * GROUP_WORDS)
  for (let g = 0; g < groups; g++) packGroup(limbs, g * GROUP_LIMBS, words, g * GROUP_WORDS)
  if (coefficientCount % GROUP_RESIDUES !== 0) {
    const lastLimbs = new Uint32Array(GROUP_LIMBS)
    const lastWords = new Uint32Array(GROUP_WORDS)
    lastLimbs.set(limbs.subarray(groups * GROUP_LIMBS, 2 * coefficientCount))
    packGroup(lastLimbs, 0, lastWords, 0)
    bytes.set(new Uint8Array(lastWords.buffer, 0, bytes.length - groups * GROUP_BYTES), groups * GROUP_BYTES)
  }
  return bytes
}

/**
 * Adds a packed chunk limb by limb into `sums`, without carrying or reducing: each addition adds up to 2^27 - 1 to a limb.
 * All or nothing: when anything is refused, `sums` is as before.
 *
 * @param bytes as it came over the wire; nothing about it is trusted, and its length is checked first
 * @throws CryptoError `wrong-length` | `padding-not-zero` | `residue-not-canonical`
 */
export function addPacked(bytes: Uint8Array, coefficientCount: number, sums: Uint32Array): void {
  checkLengthAndPadding(bytes, coefficientCount)
  const groups = Math.floor(coefficientCount / GROUP_RESIDUES)
  const words = alignedWords(bytes, groups * GROUP_WORDS)
  for (let g = 0; g < groups; g++) {
    const suspicious = addGroup(words, g * GROUP_WORDS, sums, g * GROUP_LIMBS)
    if (suspicious && !groupIsCanonical(words.subarray(g * GROUP_WORDS))) {
      undoGroups(words, g + 1, sums)
      throw notCanonical()
    }
  }
  if (coefficientCount % GROUP_RESIDUES === 0) return
  const lastWords = new Uint32Array(GROUP_WORDS)
  const lastLimbs = new Uint32Array(GROUP_LIMBS)
  new Uint8Array(lastWords.buffer).set(bytes.subarray(groups * GROUP_BYTES))
  if (addGroup(lastWords, 0, lastLimbs, 0) && !groupIsCanonical(lastWords)) {
    undoGroups(words, groups, sums)
    throw notCanonical()
  }
  for (let i = groups * GROUP_LIMBS; i < 2 * coefficientCount; i++) sums[i] += lastLimbs[i - groups * GROUP_LIMBS]
}

/**
 * Unpacks a chunk into SEAL's form: a residue as two 32-bit words, low and high. What `words` holds past the last residue
 * becomes zero.
 *
 * @param bytes as it came over the wire; nothing about it is trusted, and its length is checked first
 * @param words at least 2 for each coefficient; meaningless when anything is refused
 * @throws CryptoError `wrong-length` | `padding-not-zero` | `residue-not-canonical`
 */
export function unpackToWords(bytes: Uint8Array, coefficientCount: number, words: Uint32Array): void {
  checkLengthAndPadding(bytes, coefficientCount)
  const rest = coefficientCount % RESIDUES_PER_27_BYTES
  const whole = coefficientCount - rest
  let largestHigh = unpackWholeBytes(bytes, whole, words)
  if (rest > 0) {
    const lastBytes = new Uint8Array(27)
    const lastWords = new Uint32Array(2 * RESIDUES_PER_27_BYTES)
    lastBytes.set(bytes.subarray((whole / RESIDUES_PER_27_BYTES) * 27))
    largestHigh = Math.max(largestHigh, unpackWholeBytes(lastBytes, RESIDUES_PER_27_BYTES, lastWords))
    words.set(lastWords.subarray(0, 2 * rest), 2 * whole)
  }
  words.fill(0, 2 * coefficientCount)
  if (largestHigh < HIGH_WORD_MASK) return
  for (let i = 0; i < 2 * coefficientCount; i += 2) {
    if (words[i + 1] === HIGH_WORD_MASK && words[i] >= MODULUS_LOW_WORD) throw notCanonical()
  }
}

/** Four residues from every 27 bytes, at bits 0, 54, 108 and 162. Gives the largest high word. */
function unpackWholeBytes(bytes: Uint8Array, coefficientCount: number, words: Uint32Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let largest = 0
  for (let i = 0, at = 0; i < 2 * coefficientCount; i += 8, at += 27) {
    const second = view.getUint32(at + 10, true)
    const third = view.getUint32(at + 17, true)
    const fourth = view.getUint32(at + 23, true)
    words[i] = view.getUint32(at, true)
    words[i + 2] = (view.getUint32(at + 6, true) >>> 6) | (second << 26)
    words[i + 4] = (view.getUint32(at + 13, true) >>> 4) | (third << 28)
    words[i + 6] = (view.getUint32(at + 20, true) >>> 2) | ((fourth >>> 8) << 30)
    const h0 = view.getUint32(at + 4, true) & HIGH_WORD_MASK
    const h1 = (second >>> 6) & HIGH_WORD_MASK
    const h2 = (third >>> 4) & HIGH_WORD_MASK
    const h3 = fourth >>> 10
    words[i + 1] = h0
    words[i + 3] = h1
    words[i + 5] = h2
    words[i + 7] = h3
    largest = Math.max(largest, h0, h1, h2, h3)
  }
  return largest
}

/**
 * Refuses a chunk that is not the one encoding of `coefficientCount` residues below q, without keeping anything of it.
 *
 * @throws CryptoError `wrong-length` | `padding-not-zero` | `residue-not-canonical`
 */
export function checkPacked(bytes: Uint8Array, coefficientCount: number): void {
  checkLengthAndPadding(bytes, coefficientCount)
  const limbs = new Uint32Array(GROUP_LIMBS)
  const words = new Uint32Array(GROUP_WORDS)
  const group = new Uint8Array(words.buffer)
  for (let start = 0; start < bytes.length; start += GROUP_BYTES) {
    group.fill(0)
    group.set(bytes.subarray(start, start + GROUP_BYTES))
    if (addGroup(words, 0, limbs, 0) && !groupIsCanonical(words)) throw notCanonical()
  }
}

/**
 * The part of `checkPacked` that costs nothing: done before any memory is taken for the chunk.
 *
 * @throws CryptoError `wrong-length` | `padding-not-zero`
 */
export function checkLengthAndPadding(bytes: Uint8Array, coefficientCount: number): void {
  const expected = packedBytes(coefficientCount)
  if (bytes.length !== expected) {
    throw new CryptoError(
      'wrong-length',
      `This chunk takes exactly ${expected} bytes, not ${bytes.length}: it was cut, or made for another plan.`,
    )
  }
  const bitsInLastByte = (coefficientCount * RESIDUE_BITS) % 8
  if (bitsInLastByte !== 0 && bytes[expected - 1] >>> bitsInLastByte !== 0) {
    throw new CryptoError('padding-not-zero', 'The bits after the last residue must be zero: refuse the contribution.')
  }
}

function notCanonical(): CryptoError {
  return new CryptoError('residue-not-canonical', 'A residue is not below q: refuse the contribution.')
}

/** `bytes` as words: in place where they are aligned, otherwise a copy (a slice of a network buffer seldom is). */
function alignedWords(bytes: Uint8Array, wordCount: number): Uint32Array {
  if (bytes.byteOffset % 4 === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset, wordCount)
  const words = new Uint32Array(wordCount)
  new Uint8Array(words.buffer).set(bytes.subarray(0, words.byteLength))
  return words
}

/** Limb `k` of the group that starts at word 0: the one plain description of the format, for the paths seldom taken. */
function limbAt(words: Uint32Array, k: number): number {
  const word = Math.floor((k * LIMB_BITS) / 32)
  const shift = (k * LIMB_BITS) % 32
  const upper = shift + LIMB_BITS > 32 ? words[word + 1] << (32 - shift) : 0
  return ((words[word] >>> shift) | upper) & LIMB_MASK
}

function groupIsCanonical(words: Uint32Array): boolean {
  for (let k = 0; k < GROUP_LIMBS; k += 2) {
    if (limbAt(words, k + 1) === LIMB_MASK && limbAt(words, k) >= MODULUS_LOW_LIMB) return false
  }
  return true
}

function undoGroups(words: Uint32Array, groups: number, sums: Uint32Array): void {
  for (let g = 0; g < groups; g++) {
    const group = words.subarray(g * GROUP_WORDS, (g + 1) * GROUP_WORDS)
    for (let k = 0; k < GROUP_LIMBS; k++) sums[g * GROUP_LIMBS + k] -= limbAt(group, k)
  }
}

// The two functions below are unrolled: limb k starts at bit 27k of the group, and with the shifts as constants a group
// costs a few nanoseconds a residue less than a loop. Tests compare them with `limbAt`'s arithmetic in big integers.

function packGroup(limbs: Uint32Array, l: number, words: Uint32Array, w: number): void {
  words[w] = limbs[l] | (limbs[l + 1] << 27)
  words[w + 1] = (limbs[l + 1] >>> 5) | (limbs[l + 2] << 22)
  words[w + 2] = (limbs[l + 2] >>> 10) | (limbs[l + 3] << 17)
  words[w + 3] = (limbs[l + 3] >>> 15) | (limbs[l + 4] << 12)
  words[w + 4] = (limbs[l + 4] >>> 20) | (limbs[l + 5] << 7)
  words[w + 5] = (limbs[l + 5] >>> 25) | (limbs[l + 6] << 2) | (limbs[l + 7] << 29)
  words[w + 6] = (limbs[l + 7] >>> 3) | (limbs[l + 8] << 24)
  words[w + 7] = (limbs[l + 8] >>> 8) | (limbs[l + 9] << 19)
  words[w + 8] = (limbs[l + 9] >>> 13) | (limbs[l + 10] << 14)
  words[w + 9] = (limbs[l + 10] >>> 18) | (limbs[l + 11] << 9)
  words[w + 10] = (limbs[l + 11] >>> 23) | (limbs[l + 12] << 4) | (limbs[l + 13] << 31)
  words[w + 11] = (limbs[l + 13] >>> 1) | (limbs[l + 14] << 26)
  words[w + 12] = (limbs[l + 14] >>> 6) | (limbs[l + 15] << 21)
  words[w + 13] = (limbs[l + 15] >>> 11) | (limbs[l + 16] << 16)
  words[w + 14] = (limbs[l + 16] >>> 16) | (limbs[l + 17] << 11)
  words[w + 15] = (limbs[l + 17] >>> 21) | (limbs[l + 18] << 6)
  words[w + 16] = (limbs[l + 18] >>> 26) | (limbs[l + 19] << 1) | (limbs[l + 20] << 28)
  words[w + 17] = (limbs[l + 20] >>> 4) | (limbs[l + 21] << 23)
  words[w + 18] = (limbs[l + 21] >>> 9) | (limbs[l + 22] << 18)
  words[w + 19] = (limbs[l + 22] >>> 14) | (limbs[l + 23] << 13)
  words[w + 20] = (limbs[l + 23] >>> 19) | (limbs[l + 24] << 8)
  words[w + 21] = (limbs[l + 24] >>> 24) | (limbs[l + 25] << 3) | (limbs[l + 26] << 30)
  words[w + 22] = (limbs[l + 26] >>> 2) | (limbs[l + 27] << 25)
  words[w + 23] = (limbs[l + 27] >>> 7) | (limbs[l + 28] << 20)
  words[w + 24] = (limbs[l + 28] >>> 12) | (limbs[l + 29] << 15)
  words[w + 25] = (limbs[l + 29] >>> 17) | (limbs[l + 30] << 10)
  words[w + 26] = (limbs[l + 30] >>> 22) | (limbs[l + 31] << 5)
}

/**
 * Adds the 32 limbs of a group. Says whether any high limb has all bits set, without which no residue reaches q: adding
 * one to such a limb, and to no other, sets bit 27.
 */
function addGroup(words: Uint32Array, w: number, limbs: Uint32Array, l: number): boolean {
  const w0 = words[w]
  const w1 = words[w + 1]
  const w2 = words[w + 2]
  const w3 = words[w + 3]
  const w4 = words[w + 4]
  const w5 = words[w + 5]
  const w6 = words[w + 6]
  const w7 = words[w + 7]
  const w8 = words[w + 8]
  const w9 = words[w + 9]
  const w10 = words[w + 10]
  const w11 = words[w + 11]
  const w12 = words[w + 12]
  const w13 = words[w + 13]
  const w14 = words[w + 14]
  const w15 = words[w + 15]
  const w16 = words[w + 16]
  const w17 = words[w + 17]
  const w18 = words[w + 18]
  const w19 = words[w + 19]
  const w20 = words[w + 20]
  const w21 = words[w + 21]
  const w22 = words[w + 22]
  const w23 = words[w + 23]
  const w24 = words[w + 24]
  const w25 = words[w + 25]
  const w26 = words[w + 26]
  limbs[l] += w0 & MASK
  const h1 = ((w0 >>> 27) | (w1 << 5)) & MASK
  limbs[l + 1] += h1
  limbs[l + 2] += ((w1 >>> 22) | (w2 << 10)) & MASK
  const h3 = ((w2 >>> 17) | (w3 << 15)) & MASK
  limbs[l + 3] += h3
  limbs[l + 4] += ((w3 >>> 12) | (w4 << 20)) & MASK
  const h5 = ((w4 >>> 7) | (w5 << 25)) & MASK
  limbs[l + 5] += h5
  limbs[l + 6] += (w5 >>> 2) & MASK
  const h7 = ((w5 >>> 29) | (w6 << 3)) & MASK
  limbs[l + 7] += h7
  limbs[l + 8] += ((w6 >>> 24) | (w7 << 8)) & MASK
  const h9 = ((w7 >>> 19) | (w8 << 13)) & MASK
  limbs[l + 9] += h9
  limbs[l + 10] += ((w8 >>> 14) | (w9 << 18)) & MASK
  const h11 = ((w9 >>> 9) | (w10 << 23)) & MASK
  limbs[l + 11] += h11
  limbs[l + 12] += (w10 >>> 4) & MASK
  const h13 = ((w10 >>> 31) | (w11 << 1)) & MASK
  limbs[l + 13] += h13
  limbs[l + 14] += ((w11 >>> 26) | (w12 << 6)) & MASK
  const h15 = ((w12 >>> 21) | (w13 << 11)) & MASK
  limbs[l + 15] += h15
  limbs[l + 16] += ((w13 >>> 16) | (w14 << 16)) & MASK
  const h17 = ((w14 >>> 11) | (w15 << 21)) & MASK
  limbs[l + 17] += h17
  limbs[l + 18] += ((w15 >>> 6) | (w16 << 26)) & MASK
  const h19 = (w16 >>> 1) & MASK
  limbs[l + 19] += h19
  limbs[l + 20] += ((w16 >>> 28) | (w17 << 4)) & MASK
  const h21 = ((w17 >>> 23) | (w18 << 9)) & MASK
  limbs[l + 21] += h21
  limbs[l + 22] += ((w18 >>> 18) | (w19 << 14)) & MASK
  const h23 = ((w19 >>> 13) | (w20 << 19)) & MASK
  limbs[l + 23] += h23
  limbs[l + 24] += ((w20 >>> 8) | (w21 << 24)) & MASK
  const h25 = (w21 >>> 3) & MASK
  limbs[l + 25] += h25
  limbs[l + 26] += ((w21 >>> 30) | (w22 << 2)) & MASK
  const h27 = ((w22 >>> 25) | (w23 << 7)) & MASK
  limbs[l + 27] += h27
  limbs[l + 28] += ((w23 >>> 20) | (w24 << 12)) & MASK
  const h29 = ((w24 >>> 15) | (w25 << 17)) & MASK
  limbs[l + 29] += h29
  limbs[l + 30] += ((w25 >>> 10) | (w26 << 22)) & MASK
  const h31 = (w26 >>> 5) & MASK
  limbs[l + 31] += h31
  const full =
    (h1 + 1) |
    (h3 + 1) |
    (h5 + 1) |
    (h7 + 1) |
    (h9 + 1) |
    (h11 + 1) |
    (h13 + 1) |
    (h15 + 1) |
    (h17 + 1) |
    (h19 + 1) |
    (h21 + 1) |
    (h23 + 1) |
    (h25 + 1) |
    (h27 + 1) |
    (h29 + 1) |
    (h31 + 1)
  return full >>> BITS !== 0
}
