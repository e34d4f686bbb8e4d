import { digestOf, fromHex, toHex } from '../../src/crypto/digest.ts'
import { drawGaussian } from '../../src/crypto/discrete-gaussian.ts'
import { createKeyAdditiveScheme } from '../../src/crypto/key-additive-scheme.ts'
import { drawResidues, packShare, SHARE_MODULUS, splitKey } from '../../src/crypto/key-shares.ts'
import { encodeKeySum } from '../../src/crypto/key-sum-encoding.ts'
import { createChunkHasher, formatLinearHash } from '../../src/crypto/linear-hash.ts'
import { OneTimeKey } from '../../src/crypto/one-time-key.ts'
import { COEFFICIENTS_PER_CHUNK, chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { publicPolynomials } from '../../src/crypto/public-polynomials.ts'
import { seededRandomness } from '../../src/crypto/randomness.ts'
import { createRing } from '../../src/crypto/ring.ts'
import { RING_DEGREE, RING_MODULUS } from '../../src/crypto/ring-constants.ts'
import { combineShare, expandShareChallenge, findOffPoints, SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { openingDigest } from '../../src/protocol/opening.ts'
import { fromWords, modulo, packReference } from '../crypto/reference.ts'
import { randomnessOf, seedOf } from '../support/round-fixtures.ts'

/* The vectors of src/crypto. What they mean is in the descriptions, which a reader in another language has alone. */

const residuesOf = (words: Uint32Array) => fromWords(words).map(String)

export function publicPolynomialVectors() {
  const planDigest = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
  const domain = 'sluice/public-polynomials/v1'
  return {
    description: [
      'Public polynomials of a round, in NTT form, expanded from the digest of its plan (src/crypto/public-polynomials.ts).',
      'key = SHA-256(domain in ASCII || planDigest). stream = AES-256-CTR(key), the counter block a 128-bit big-endian integer.',
      'Coefficient i of polynomial j is the low 54 bits of the 8 bytes (little-endian) at offset 8 * i of the stream that starts at counter block j * 1024.',
      'A draw that is not below q = modulus is replaced by the next 8 bytes of the stream that starts at counter block 2^127 + j * 1024 (low 54 bits, again rejected above q), in the order of the coefficients. None of the polynomials here has one.',
      'sha256 is over all 2048 coefficients of the polynomial, each as 8 bytes little-endian. Coefficients are decimal strings, being above 2^53.',
    ],
    domain,
    modulus: String(RING_MODULUS),
    planDigest,
    key: digestOf(Buffer.from(domain), fromHex(planDigest)),
    polynomials: [0, 1, 15, 16, 1_000_000, 4_294_967_301].map((index) => {
      const words = new Uint32Array(2 * RING_DEGREE)
      publicPolynomials(fromHex(planDigest)).expand(index, words)
      const coefficients = residuesOf(words)
      return {
        index,
        firstCoefficients: coefficients.slice(0, 8),
        lastCoefficient: coefficients.at(-1),
        sha256: digestOf(new Uint8Array(words.buffer)),
      }
    }),
  }
}

export function keyShareVectors() {
  const makeCase = (threshold: number, members: number, seed: string, secret: number[]) => {
    const drawn = drawResidues(secret.length * (threshold - 1), seededRandomness(fromHex(seed)))
    const shares = splitKey(Int32Array.from(secret), threshold, members, seededRandomness(fromHex(seed)))
    return {
      threshold,
      members,
      seed,
      secret,
      coefficients: secret.map((_, i) => [...drawn.subarray(i * (threshold - 1), (i + 1) * (threshold - 1))]),
      shares: shares.map((share) => [...share]),
      packed: shares.map((share) => toHex(packShare(share))),
    }
  }
  return {
    description: [
      'Shamir shares of signed coefficients over F_p, p = modulus (src/crypto/key-shares.ts).',
      'Coefficient i of the secret is the value at 0 of secret[i] + c_1 x + ... + c_(t-1) x^(t-1) mod p; member m, counted from 1, gets the value at x = m. A recovered value above p/2 stands for itself less p.',
      'coefficients[i] = [c_1, ..., c_(t-1)] are the low 26 bits of successive 32-bit little-endian words of the AES-256-CTR keystream (counter block from zero) under seed, in the order of i, then of the exponent; none of these needed a second draw.',
      'packed: the residues of a share at 26 bits each, least significant bit first, the last byte padded with zero bits, hexadecimal.',
    ],
    modulus: SHARE_MODULUS,
    cases: [
      makeCase(3, 4, '07'.repeat(32), [0, 1, -1, 93, -93, 33554429, -33554429]),
      makeCase(5, 7, '74509391f37b30c835570bc9fe7ca2db8656f9832651bfcca44a35dd2b02fb71', [12, -7, 0, 40, -93, 3, 2, 1]),
      makeCase(2, 2, '00'.repeat(32), [-5]),
    ],
  }
}

export function shareCheckVectors() {
  return {
    description: [
      'The check of key shares over F_p, p = modulus (src/crypto/share-check.ts).',
      "Challenge: the 3 x 2048 residues, repetition by repetition, are the low 26 bits of successive 32-bit little-endian words of the AES-256-CTR keystream (counter block from zero) under SHA-256('sluice/share-challenge/v1' || digest of the candidates); the numbers at p and above are replaced, in order, by the low 26 bits of the words after the first 6144, rejected alike. The second case needs a replacement.",
      'first, last: of each repetition. sha256: of all residues as 32-bit little-endian words.',
      'combination: for r = 0, 1, 2, share[2048 + r] + sum over k < 2048 of challenge[r][k] * share[k] mod p, of the share with share[k] = (32749 k^2 + 977 k + 1) mod p; combinationOfLargest: of the share that is p - 1 throughout.',
      'agreements: points of one contributor. off holds those off the polynomial of degree below threshold with which the most points agree in all three values; unique says that no other polynomial has as many. When one has, off holds those off the one that agrees with the lexicographically smallest points. With no more points than the threshold nothing is off.',
    ],
    modulus: SHARE_MODULUS,
    challenges: [
      makeChallenge('ba159dbf9d2f740f56bc2ea7245187ee726da4263440b055ceb89485f4dbcf38', 0),
      // Found by search: one draw in 14 million is replaced.
      makeChallenge('304789be93823a35b268cb8da12020eaf60c1a446d82db22f5bbec161c8368cb', 1),
    ],
    agreements: [
      makeAgreement(3, [[1, 2, 3, 4, 5]]),
      makeAgreement(3, [[1, 3, 4, 5], [2]]),
      makeAgreement(5, [[1, 2, 3, 4, 5, 6], [7]]),
      makeAgreement(5, [[1, 2, 3, 4, 5], [6], [7]]),
      makeAgreement(3, [
        [4, 5, 6, 7],
        [1, 2, 3],
      ]),
      makeAgreement(2, [
        [1, 2],
        [3, 4],
      ]),
      makeAgreement(3, [[1, 2, 3]]),
      makeAgreement(3, [[1, 2]]),
    ],
  }
}

function makeChallenge(digest: string, redrawn: number) {
  const challenge = expandShareChallenge(fromHex(digest))
  const share = Uint32Array.from({ length: SHARED_NUMBERS }, (_, k) => (32749 * k * k + 977 * k + 1) % SHARE_MODULUS)
  return {
    digest,
    redrawn,
    first: challenge.map((residues) => [...residues.subarray(0, 3)]),
    last: challenge.map((residues) => residues[RING_DEGREE - 1]),
    sha256: digestOf(...challenge.map((residues) => new Uint8Array(residues.slice().buffer))),
    combination: [...combineShare(share, challenge)],
    combinationOfLargest: [...combineShare(share.fill(SHARE_MODULUS - 1), challenge)],
  }
}

/** Each group of points lies on polynomials of its own. */
function makeAgreement(threshold: number, groups: readonly number[][]) {
  const randomness = randomnessOf(`agreement ${threshold} ${JSON.stringify(groups)}`)
  const points = groups.flatMap((group) => {
    const polynomials = [0, 1, 2].map(() => drawResidues(threshold, randomness))
    const valueAt = (x: number, c: Uint32Array) => c.reduceRight((y, each) => (y * x + each) % SHARE_MODULUS, 0)
    return group.map((point) => ({ point, values: polynomials.map((polynomial) => valueAt(point, polynomial)) }))
  })
  points.sort((a, b) => a.point - b.point)
  const read = points.map(({ point, values }) => ({ point, values: Uint32Array.from(values) }))
  return { threshold, points, ...findOffPoints(read, threshold) }
}

export async function linearHashVectors() {
  const challenge = '05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f'
  const ring = await createRing()
  const hashOf = (chunks: ReadonlyMap<number, Uint8Array>, coefficientCount: number): string => {
    const parameters = payloadParameters({ precisionBits: 32, maxContributors: 2, length: coefficientCount })
    const hasher = createChunkHasher(ring, parameters, fromHex(challenge))
    for (const [index, bytes] of chunks) hasher.add(index, bytes)
    const hash = formatLinearHash(hasher.hash())
    hasher.dispose()
    return hash
  }
  const first = [0n, 1n, RING_MODULUS - 1n, 2n ** 53n, 12345678901234567n]
  const second = [320255973501901n, 640511947003802n, 960767920505703n, 1281023894007604n, 1601279867509505n]
  const small = [first, second, first.map((residue, i) => modulo(residue + second[i]))].map((residues) => ({
    coefficients: residues.map(String),
    packed: toHex(packReference(residues)),
    hash: hashOf(new Map([[0, packReference(residues)]]), residues.length),
  }))
  const long = { coefficientCount: 34_893, square: 2783377641436327n, linear: 4886718345n, constant: 7n }
  const residues = Array.from({ length: long.coefficientCount }, (_, n) =>
    modulo(long.square * BigInt(n) ** 2n + long.linear * BigInt(n) + long.constant),
  )
  const chunks = [residues.slice(0, COEFFICIENTS_PER_CHUNK), residues.slice(COEFFICIENTS_PER_CHUNK)].map(packReference)
  const farCount = 1024 * COEFFICIENTS_PER_CHUNK + second.length
  const vectors = {
    description: [
      'The linear hash of a packed ciphertext modulo q = modulus (src/crypto/linear-hash.ts).',
      'For r = 0, 1: the sum over g, i, k of rho[r][g] * sigma[r][i] * omega[r][k] * c[32768 g + 2048 i + k] mod q, g from 0, i < 16, k < 2048; absent coefficients are zero.',
      "Weights come from the polynomials P_j of 2048 residues that are expanded as in public-polynomials.json, from key = SHA-256('sluice/linear-hash/v1' || challenge); none of these needed a second draw. omega[r][k] = P_r[k]; sigma[r][i] = P_2[2 i + r]; rho[r][g] = the low 53 bits of P_(3 + floor(g / 1024))[2 (g mod 1024) + r].",
      'hash: the two residues as 16 hexadecimal digits each. packed: 54 bits a coefficient, least significant bit first, the last byte padded with zero bits, hexadecimal.',
      'small: the third is the sum of the first two, in coefficients and in hash. long: coefficient n = (square * n^2 + linear * n + constant) mod q; chunks have 32768 coefficients. far: these coefficients as the first of chunk 1024, all others zero.',
    ],
    modulus: String(RING_MODULUS),
    challenge,
    small,
    long: {
      coefficientCount: long.coefficientCount,
      square: String(long.square),
      linear: String(long.linear),
      constant: String(long.constant),
      packedSha256: digestOf(packReference(residues)),
      hash: hashOf(new Map(chunks.map((bytes, index) => [index, bytes])), long.coefficientCount),
    },
    far: {
      chunk: 1024,
      coefficients: second.map(String),
      hash: hashOf(new Map([[1024, packReference(second)]]), farCount),
    },
  }
  ring.dispose()
  return vectors
}

/** The primitive 4096-th root of unity modulo q that SEAL's transform evaluates at: the smallest. */
const NTT_ROOT = smallestRoot()

export async function payloadVectors() {
  const scheme = await createKeyAdditiveScheme()
  const vectors = {
    description: [
      'Payloads: keys, errors and values to packed chunks; their sum and the sum of keys to the opened values (src/crypto/key-additive-scheme.ts). All arithmetic is in Z_q[X] / (X^2048 + 1), q = modulus.',
      'A polynomial in NTT form has as residue i its value at root^(2 rev(i) + 1), where rev reverses the 11 bits of i and root is the smallest primitive 4096-th root of unity modulo q. The public polynomials a_j (public-polynomials.json, from planDigest) are in this form; everything else is in coefficients.',
      'deltaBits: 2^deltaBits is the smallest power of two >= 2 * 14 * 6.7 * sqrt(maxContributors). laneBits = precisionBits + ceil(log2(maxContributors)). lanes = floor((54 - deltaBits) / laneBits). Value k is in coefficient floor(k / lanes), lane k mod lanes; lane l starts at bit deltaBits + l * laneBits of the message. Coefficient c is in polynomial floor(c / 2048).',
      'A contributor: key coefficient k = (keyMultiplier * k^2 + k) mod 61 - 30; value k = valueMultiplier * (k + 1)^2 mod 2^precisionBits; errors: a signed byte for each coefficient that travels (private draws: nobody recomputes them). Coefficient c of its chunk is that of a_j * key, plus error, plus message, mod q, packed at 54 bits, least significant bit first.',
      "firstBytes: of the packed chunk. payloadDigest = SHA-256('sluice/v1/payload' NUL || SHA-256 of the chunk), here of one chunk.",
      'sum: of the chunks, mod q. keySum: the sum of keys; its bytes are 2048 signed 16-bit integers, little-endian. opening: of key sum and sum (round.json).',
      'firstOpened: of the sums of values that the sum opens to. aggregate: SHA-256 of all of them as little-endian float64.',
    ],
    modulus: String(RING_MODULUS),
    root: String(NTT_ROOT),
    cases: [
      makePayload(scheme, { precisionBits: 16, maxContributors: 3, length: 9 }, [1, 7, 65_535]),
      makePayload(scheme, { precisionBits: 8, maxContributors: 2, length: 8300 }, [3, 101]),
      makePayload(scheme, { precisionBits: 32, maxContributors: 500, length: 3 }, [4_294_967_291, 1_000_003]),
    ],
  }
  scheme.dispose()
  return vectors
}

function makePayload(
  scheme: PayloadScheme,
  shape: { precisionBits: number; maxContributors: number; length: number },
  valueMultipliers: readonly number[],
) {
  const parameters = payloadParameters(shape)
  const planDigest = seedOf(`plan of ${shape.length} values`)
  const accumulator = scheme.createAccumulator(parameters, planDigest, 0)
  const keySum = new Int32Array(RING_DEGREE)
  const contributors = valueMultipliers.map((valueMultiplier, i) => {
    const keyMultiplier = i + 2
    const coefficients = Int32Array.from({ length: RING_DEGREE }, (_, k) => ((keyMultiplier * k * k + k) % 61) - 30)
    for (const [k, coefficient] of coefficients.entries()) keySum[k] += coefficient
    const errors = new Int8Array(chunkGeometry(parameters, 0).coefficientCount)
    const noiseSeed = seedOf(`noise of contributor ${i}`)
    drawGaussian(errors, new OneTimeKey(coefficients.slice(), noiseSeed.slice()).errorRandomness(0))
    const values = Uint32Array.from({ length: shape.length }, (_, k) =>
      Number((BigInt(valueMultiplier) * BigInt(k + 1) ** 2n) % 2n ** BigInt(shape.precisionBits)),
    )
    const protector = scheme.createProtector(parameters, planDigest, new OneTimeKey(coefficients, noiseSeed))
    const chunk = protector.preparePad(0).protect(values)
    accumulator.add(chunk)
    return {
      keyMultiplier,
      valueMultiplier,
      errors: toHex(new Uint8Array(errors.buffer)),
      firstBytes: toHex(chunk.subarray(0, 54)),
      payloadDigest: payloadDigest([digestOf(chunk)]),
    }
  })
  const sum = accumulator.pack()
  const opened = accumulator.open(scheme.prepareKeySum(keySum))
  const { deltaBits, laneBits, lanes, coefficientCount, ciphertextBytes } = parameters
  return {
    ...shape,
    deltaBits,
    laneBits,
    lanes,
    coefficientCount,
    ciphertextBytes,
    planDigest: toHex(planDigest),
    contributors,
    sum: { firstBytes: toHex(sum.subarray(0, 54)), sha256: digestOf(sum) },
    keySum: { firstCoefficients: [...keySum.subarray(0, 8)], sha256: digestOf(encodeKeySum(keySum)) },
    opening: openingDigest(encodeKeySum(keySum), payloadDigest([digestOf(sum)])),
    firstOpened: [...opened.subarray(0, 8)],
    aggregate: digestOf(new Uint8Array(opened.buffer)),
  }
}

function smallestRoot(): bigint {
  const order = 2n * BigInt(RING_DEGREE)
  for (let base = 2n; ; base++) {
    const root = power(base, (RING_MODULUS - 1n) / order)
    if (power(root, order / 2n) !== RING_MODULUS - 1n) continue
    const square = modulo(root * root)
    let [least, each] = [root, root]
    for (let i = 1; i < RING_DEGREE; i++) {
      each = modulo(each * square)
      if (each < least) least = each
    }
    return least
  }
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, factor] = [1n, base]
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = modulo(result * factor)
    factor = modulo(factor * factor)
  }
  return result
}
