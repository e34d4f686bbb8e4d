/**
 * Key shares: what a contributor, a committee member and the coordinator spend on the shares of one key of 2048
 * coefficients; and the two moduli that docs/adr/0004 weighs against each other, in the same run.
 *
 *     node bench/shares.ts [--json]
 */

import { addShare, packShare, recoverSecret, type SharePoint, splitKey, unpackShare } from '../src/crypto/key-shares.ts'
import { drawOneTimeKey } from '../src/crypto/one-time-key.ts'
import { type Randomness, systemRandomness } from '../src/crypto/randomness.ts'
import { round, summarise, timed } from './measure.ts'

const RUNS = 40
const WARM_UP = 15
const json = process.argv.includes('--json')

/** The operations of a share modulus, as `src/crypto/key-shares.ts` has them. */
interface ShareField {
  readonly name: string
  split(secret: Int32Array, threshold: number, members: number, randomness: Randomness): Uint32Array[]
  pack(share: Uint32Array): Uint8Array
  unpack(bytes: Uint8Array, length: number): Uint32Array
  add(sum: Uint32Array, share: Uint32Array): void
  recover(points: readonly SharePoint[]): Int32Array
}

const present: ShareField = {
  name: 'p = 67108859, products exact in doubles',
  split: splitKey,
  pack: packShare,
  unpack: unpackShare,
  add: addShare,
  recover: recoverSecret,
}

/**
 * p = 2^31 − 1, a Mersenne prime: a product has 62 bits, so one factor is split at 16 bits and sums are folded at bit 31
 * instead of divided.
 */
const MERSENNE = 2 ** 31 - 1

/** x mod p for 0 ≤ x < 2^53: the bits above 31 are worth what they say. */
function fold(x: number): number {
  const folded = (x & MERSENNE) + Math.floor(x / 2 ** 31)
  return folded >= MERSENNE ? folded - MERSENNE : folded
}

function multiply(a: number, b: number): number {
  return fold(fold(a * (b >>> 16)) * 2 ** 16 + a * (b & 0xffff))
}

function drawMersenne(count: number, randomness: Randomness): Uint32Array {
  const residues = new Uint32Array(count)
  randomness.fill(new Uint8Array(residues.buffer))
  const redraw = new Uint32Array(1)
  for (let i = 0; i < count; i++) {
    residues[i] &= MERSENNE
    while (residues[i] === MERSENNE) {
      randomness.fill(new Uint8Array(redraw.buffer))
      residues[i] = redraw[0] & MERSENNE
    }
  }
  return residues
}

function splitMersenne(secret: Int32Array, threshold: number, members: number, randomness: Randomness): Uint32Array[] {
  const coefficients = drawMersenne(secret.length * (threshold - 1), randomness)
  const shares = Array.from({ length: members }, () => new Uint32Array(secret.length))
  for (let i = 0; i < secret.length; i++) {
    const constant = secret[i] < 0 ? secret[i] + MERSENNE : secret[i]
    for (let point = 1; point <= members; point++) {
      let y = 0
      // A point has few bits, so this product needs no split.
      for (let c = threshold - 2; c >= 0; c--) y = fold((y + coefficients[i * (threshold - 1) + c]) * point)
      shares[point - 1][i] = fold(y + constant)
    }
  }
  return shares
}

function addMersenne(sum: Uint32Array, share: Uint32Array): void {
  for (let i = 0; i < sum.length; i++) {
    const s = sum[i] + share[i]
    sum[i] = s >= MERSENNE ? s - MERSENNE : s
  }
}

function weightMersenne(point: number, points: readonly SharePoint[]): number {
  let [numerator, denominator] = [1, 1]
  for (const other of points) {
    if (other.point === point) continue
    numerator = multiply(numerator, MERSENNE - other.point)
    denominator = multiply(denominator, fold(point - other.point + MERSENNE))
  }
  let inverse = 1
  for (let exponent = MERSENNE - 2, base = denominator; exponent > 0; exponent = exponent >>> 1) {
    if (exponent & 1) inverse = multiply(inverse, base)
    base = multiply(base, base)
  }
  return multiply(numerator, inverse)
}

function recoverMersenne(points: readonly SharePoint[]): Int32Array {
  const weights = points.map(({ point }) => weightMersenne(point, points))
  const secret = new Int32Array(points[0].share.length)
  for (let i = 0; i < secret.length; i++) {
    let sum = 0
    for (let j = 0; j < points.length; j++) sum = fold(sum + multiply(points[j].share[i], weights[j]))
    secret[i] = sum > MERSENNE / 2 ? sum - MERSENNE : sum
  }
  return secret
}

/** 31 bits each, little-endian bit order, as `packShare` does with 26. */
function packMersenne(share: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((share.length * 31) / 8))
  let [held, heldBits, at] = [0, 0, 0]
  for (const residue of share) {
    held += residue * 2 ** heldBits
    heldBits += 31
    for (; heldBits >= 8; heldBits -= 8) {
      bytes[at++] = held % 256
      held = Math.floor(held / 256)
    }
  }
  if (heldBits > 0) bytes[at] = held
  return bytes
}

function unpackMersenne(bytes: Uint8Array, length: number): Uint32Array {
  const share = new Uint32Array(length)
  let [held, heldBits, at] = [0, 0, 0]
  for (let i = 0; i < length; i++) {
    for (; heldBits < 31; heldBits += 8) held += bytes[at++] * 2 ** heldBits
    share[i] = held % 2 ** 31
    held = Math.floor(held / 2 ** 31)
    heldBits -= 31
  }
  return share
}

const mersenne: ShareField = {
  name: 'p = 2^31 - 1, split products',
  split: splitMersenne,
  pack: packMersenne,
  unpack: unpackMersenne,
  add: addMersenne,
  recover: recoverMersenne,
}

/** One key from its holder to the coordinator; what is not the secret again is an error. */
function passThrough(field: ShareField, threshold: number, members: number, samples: Record<Step, number[]>): number {
  const key = drawOneTimeKey(systemRandomness)
  const { length } = key.coefficients
  const shares = timed(samples.split, () => field.split(key.coefficients, threshold, members, systemRandomness))
  const packed = timed(samples.pack, () => shares.map((share) => field.pack(share)))
  const opened = timed(samples.unpack, () => field.unpack(packed[0], length))
  const sum = new Uint32Array(length)
  timed(samples.add, () => field.add(sum, opened))
  // The last t members, whose weights are the largest.
  const quorum = shares.map((share, i) => ({ point: i + 1, share })).slice(members - threshold)
  const recovered = timed(samples.recover, () => field.recover(quorum))
  if (!recovered.every((coefficient, i) => coefficient === key.coefficients[i])) throw new Error('The key is lost.')
  return packed[0].length
}

type Step = 'split' | 'pack' | 'unpack' | 'add' | 'recover'
const steps: readonly Step[] = ['split', 'pack', 'unpack', 'add', 'recover']

for (const [threshold, members] of [
  [3, 3],
  [3, 4],
  [5, 7],
]) {
  for (const field of [present, mersenne]) {
    const samples: Record<Step, number[]> = { split: [], pack: [], unpack: [], add: [], recover: [] }
    let shareBytes = 0
    for (let run = 0; run < WARM_UP + RUNS; run++) shareBytes = passThrough(field, threshold, members, samples)
    const medians = steps.map((step) => [`${step}Ms`, summarise(samples[step].slice(WARM_UP)).medianMs] as const)
    const totalMs = round(medians.reduce((sum, [, medianMs]) => sum + medianMs, 0))
    const row = {
      case: 'shares',
      threshold,
      members,
      field: field.name,
      shareBytes,
      ...Object.fromEntries(medians),
      totalMs,
    }
    console.log(
      json
        ? JSON.stringify(row)
        : Object.entries(row)
            .map(([name, value]) => `${name} ${value}`)
            .join('  '),
    )
  }
}
