/** A coordinator, and contributors, that say a wrong sum: real contributions of four holders, and what one of them finds. */
import { afterAll, beforeAll, expect } from 'vitest'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { encodeKeySum } from '../../src/crypto/key-sum-encoding.ts'
import { addLinearHashes, formatLinearHash, type LinearHash } from '../../src/crypto/linear-hash.ts'
import { RING_MODULUS as Q } from '../../src/crypto/ring-constants.ts'
import { openingDigest } from '../../src/protocol/opening.ts'
import { type Publication, publicationStatement } from '../../src/protocol/publication.ts'
import { readStatement } from '../../src/protocol/statement.ts'
import { attack, limit } from '../support/attack.ts'
import { HoldersUnderAttack } from '../support/holders-under-attack.ts'
import { modulo, packChunk } from '../support/packed-chunks.ts'
import { acceptedOf, coordinatorKey, keySumWithoutGuards } from '../support/round-fixtures.ts'
import { nameOf, type Said, SealedSum } from '../support/sealed-sum.ts'

let sums: SealedSum
beforeAll(async () => {
  sums = await SealedSum.seal(await HoldersUnderAttack.open())
})
afterAll(() => sums.venue.close())

/** What a holder takes for the sum when it looks at signatures alone. */
const believed = ({ publication }: Said): Publication =>
  acceptedOf(readStatement(publicationStatement, publication, coordinatorKey.publicKey))

attack({
  name: 'an aggregate that is not what the ciphertexts open to',
  by: 'coordinator',
  wins: 'any numbers it likes, for holders that believe what is signed',
  guard: 'each holder opens the sum of the ciphertexts itself',
  off: async () => {
    const { laneSums } = await sums.sayTruth()
    const lie = laneSums.map((sum, i) => (i === 0 ? sum + 1000 : sum))
    const { aggregate } = believed(await sums.say(sums.truth, {}, lie))
    expect(aggregate).toBe(digestOf(new Uint8Array(lie.buffer)))
    expect(aggregate).not.toBe(believed(await sums.sayTruth()).aggregate)
  },
  on: async () => {
    expect(await sums.verify(await sums.sayTruth())).toEqual({ found: 'verified', why: '' })
    const { laneSums } = await sums.sayTruth()
    const lie = laneSums.map((sum, i) => (i === 0 ? sum + 1000 : sum))
    expect((await sums.verify(await sums.say(sums.truth, {}, lie))).found).toBe('wrong-sum')
  },
})

attack({
  name: 'a sum from which one contribution was dropped, or into which one was put twice',
  by: 'coordinator',
  wins: 'a sum over other holders than it says, with another key sum that opens it',
  guard: 'the hashes of the contributions add up to the hash of their sum alone',
  off: async () => {
    for (const set of [sums.made.slice(1), [...sums.made, sums.made[0]]]) {
      const key = await keySumWithoutGuards(sums.round, set, sums.venue.parties)
      const chunk = sums.sumOf(set)
      const wrong = await sums.open(chunk, sums.made.length, key)
      expect(wrong).not.toEqual((await sums.sayTruth()).laneSums)
    }
  },
  on: async () => {
    for (const set of [sums.made.slice(1), [...sums.made, sums.made[0]]]) {
      const key = await keySumWithoutGuards(sums.round, set, sums.venue.parties)
      const chunk = sums.sumOf(set)
      const laneSums = await sums.open(chunk, 4, key)
      const said = await sums.say(sums.truth, {
        aggregate: digestOf(new Uint8Array(laneSums.buffer)),
        sum: nameOf(chunk),
        opening: openingDigest(encodeKeySum(key), nameOf(chunk)),
      })
      const { found, why } = await sums.verify({ publication: said.publication, opening: [encodeKeySum(key), chunk] })
      expect([found, why]).toEqual(['wrong-sum', expect.stringContaining('not the sum of the contributions')])
    }
    // A count that says so does not help.
    expect((await sums.verify(await sums.say(sums.truth, { contributors: 3 }))).found).toBe('wrong-sum')
  },
})

attack({
  name: 'another opening than the one that was published',
  by: 'coordinator',
  wins: 'a holder that verifies one sum while the log has another',
  guard: 'the publication names its opening by digest',
  off: async () => {
    const said = await sums.say(sums.truth, { opening: 'e'.repeat(64) })
    // What it is served opens, with every hash right, and is not what the log names.
    expect(await sums.open(said.opening[1], sums.made.length)).toEqual(said.laneSums)
    expect(believed(said).opening).not.toBe(openingDigest(said.opening[0], nameOf(said.opening[1])))
  },
  on: async () => {
    const said = await sums.say(sums.truth, { opening: 'e'.repeat(64) })
    expect((await sums.verify(said)).found).toBe('wrong-sum')
    const { publication, opening } = await sums.sayTruth()
    const [key, chunk] = opening
    const noise = chunk.slice()
    noise[0] ^= 1
    const other = key.slice()
    other[0] ^= 1
    for (const served of [[other, chunk], [key, noise], [key], [key, chunk.slice(1)]]) {
      expect((await sums.verify({ publication, opening: served })).found).toBe('wrong-sum')
    }
  },
})

attack({
  name: 'an output that is not made of the sum',
  by: 'coordinator',
  wins: 'statistics, or a model, of its own making in every later round',
  guard: 'each holder recomputes the output with the strategy’s own code',
  off: async () => {
    const said = await sums.say(sums.truth, { output: { name: 'statistics', digest: 'f'.repeat(64) } })
    expect(believed(said).output.digest).toBe('f'.repeat(64))
  },
  on: async () => {
    for (const output of [
      { name: 'statistics', digest: 'f'.repeat(64) },
      {
        name: 'model',
        digest: JSON.parse(Buffer.from((await sums.sayTruth()).publication.payload).toString()).output.digest,
      },
    ]) {
      const { found, why } = await sums.verify(await sums.say(sums.truth, { output }))
      expect([found, why]).toEqual(['wrong-sum', expect.stringContaining('is not made of this sum')])
    }
  },
})

attack({
  name: 'a hash in another’s name',
  by: 'coordinator',
  wins: 'a wrong sum whose hash it makes right with a hash that nobody gave',
  guard: 'each hash carries its contributor’s signature over plan, manifest, sum and value',
  off: async () => {
    const { chunk, sum, hash } = await wrongSumWithHashOf(0)
    const others = await sums.hashesOf(sums.made.slice(1), sum)
    expect(addLinearHashes([hash, ...others])).toEqual(await sums.hashOf(chunk, sum))
  },
  on: async () => {
    const { chunk, sum, hash } = await wrongSumWithHashOf(1)
    const hashes = await sums.signHashes(sum)
    const forged = await sums.signHash(sums.made[1], sum, formatLinearHash(hash), sums.made[0].holder)
    const { found, why } = await sums.verify(
      await sums.say(chunk, { hashes: hashes.map((each, i) => (i === 1 ? forged : each)) }),
    )
    expect([found, why]).toEqual(['wrong-sum', expect.stringContaining(sums.made[1].holder)])
    const mixed = hashes.map((each, i) => (i === 1 ? { ...each, hash: formatLinearHash(hash) } : each))
    expect((await sums.verify(await sums.say(chunk, { hashes: mixed }))).found).toBe('wrong-sum')
  },
})

attack({
  name: 'a missing hash',
  by: 'coordinator or contributor',
  wins: 'a sum that nobody can check, called a sum',
  guard: 'the holder says that it is unverified, and who has not hashed',
  off: async () => {
    const { chunk } = await wrongSumWithHashOf(0)
    expect(believed(await sums.say(chunk, { hashes: [] })).aggregate).not.toBe(
      believed(await sums.sayTruth()).aggregate,
    )
  },
  on: async () => {
    const sum = sums.truth
    const hashes = (await sums.signHashes(nameOf(sum))).slice(0, 3)
    expect((await sums.verify(await sums.say(sum, { hashes }))).found).toBe('unverified')
  },
})

attack({
  name: 'a publication of another round, or of another coordinator',
  by: 'coordinator or stranger',
  wins: 'a holder that takes an old sum for the new one',
  guard: 'a publication is read for its own plan, job and manifest',
  lines: [8],
  off: async () => {
    expect(believed(await sums.say(sums.truth, { plan: 'a'.repeat(64) })).plan).not.toBe(sums.round.planDigest)
  },
  on: async () => {
    const said = await sums.sayTruth()
    expect((await sums.verify(await sums.say(sums.truth, { plan: 'a'.repeat(64) }))).found).toBe('wrong-round')
    expect((await sums.verify(await sums.say(sums.truth, { job: 'a'.repeat(64) }))).found).toBe('wrong-round')
    expect((await sums.verify(await sums.say(sums.truth, { manifest: 'a'.repeat(64) }))).found).toBe('wrong-sum')
    const strange = { ...said.publication, signatures: [] }
    expect((await sums.verify({ ...said, publication: strange })).found).toBe('bad-signature')
  },
})

/** A wrong sum that opens, and the hash that contributor `liar` would have to give for it. */
async function wrongSumWithHashOf(liar: number): Promise<{ chunk: Uint8Array; sum: Digest; hash: LinearHash }> {
  const truth = sums.unpack(sums.truth)
  // A thousand examples more: Δ is 2^9.
  const chunk = packChunk(truth.map((c, i) => (i === 0 ? modulo(c + (1000n << 9n)) : c)))
  const sum = nameOf(chunk)
  const others = await sums.hashesOf(
    sums.made.filter((_, i) => i !== liar),
    sum,
  )
  const [first, second] = addLinearHashes(others)
  const [whole, other] = await sums.hashOf(chunk, sum)
  return { chunk, sum, hash: [modulo(whole - first), modulo(other - second)] }
}

limit({
  name: 'a wrong sum that one contributor’s hash is made to fit',
  by: 'coordinator and contributor',
  wins: 'any sum, chosen after the true one was seen, and verified by all the others',
  because:
    'a hash is its author’s own word: equal in power to contributing another ciphertext, but late, and bounds aside',
  shown: async () => {
    const { chunk, sum, hash } = await wrongSumWithHashOf(1)
    const hashes = await Promise.all(
      sums.made.map((each, i) => sums.signHash(each, sum, i === 1 ? formatLinearHash(hash) : undefined)),
    )
    expect(await sums.verify(await sums.say(chunk, { hashes }))).toEqual({ found: 'verified', why: '' })
  },
})

/** The inverse modulo q, by Fermat. */
function inverse(value: bigint): bigint {
  let [result, base] = [1n, modulo(value)]
  for (let exponent = Q - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % Q
    base = (base * base) % Q
  }
  return result
}

const centred = (value: bigint) => (modulo(value) > Q / 2n ? modulo(value) - Q : modulo(value))

/** A short basis of the pairs (k, k·x mod q), with k counted 2^9-fold, as x carries Δ (Gauss). */
function shortBasis(x: bigint): [bigint, bigint][] {
  const dot = ([a, b]: [bigint, bigint], [c, d]: [bigint, bigint]) => ((a * c) << 18n) + b * d
  let [u, v]: [bigint, bigint][] = [
    [0n, Q],
    [1n, centred(x)],
  ]
  for (;;) {
    if (dot(u, u) < dot(v, v)) [u, v] = [v, u]
    const numerator = 2n * dot(u, v) + dot(v, v)
    const denominator = 2n * dot(v, v)
    const times = numerator / denominator - (numerator < 0n && numerator % denominator !== 0n ? 1n : 0n)
    if (times === 0n) return [u, v]
    u = [u[0] - times * v[0], u[1] - times * v[1]]
  }
}

/** Three coefficients of a difference that is not zero, opens, and has the hash zero under the challenge of this sum. */
async function differenceWithoutHash([a, b, c]: readonly number[], name: Digest): Promise<Map<number, bigint>> {
  const length = sums.parameters.coefficientCount
  const unit = (at: number) => sums.hashOf(packChunk(Array.from({ length }, (_, i) => (i === at ? 1n : 0n))), name)
  const [ha, hb, hc] = await Promise.all([a, b, c].map(unit))
  // x·hb + y·hc = −Δ·ha, in both repetitions.
  const determinant = inverse(hb[0] * hc[1] - hb[1] * hc[0])
  const [r0, r1] = ha.map((h) => modulo(-(h << 9n)))
  const x = modulo((r0 * hc[1] - r1 * hc[0]) * determinant)
  const y = modulo((hb[0] * r1 - hb[1] * r0) * determinant)
  const [u, v] = shortBasis(x)
  const fits = (value: bigint) => {
    const noise = ((value + 256n) & 511n) - 256n
    return value >= 0n && value < 1n << 42n && noise > -80n && noise < 80n
  }
  for (let i = 0n; i < 8192n; i++) {
    for (let j = -i; j <= i; j++) {
      for (const [s, t] of [
        [i, j],
        [-i, j],
        [j, i],
        [j, -i],
      ]) {
        const k = s * u[0] + t * v[0]
        const first = s * u[1] + t * v[1]
        if (k <= 0n || k >= 1n << 33n || !fits(first)) continue
        const second = modulo(k * y)
        if (fits(second))
          return new Map([
            [a, k << 9n],
            [b, first],
            [c, second],
          ])
      }
    }
  }
  throw new Error('found no difference')
}

/** A sum that was made when the contributors' hashes had their challenge, that of the true sum. */
async function lateSum() {
  const truth = sums.truth
  // The sums of squares of three features: what the standardisation of every later round is made of.
  const difference = await differenceWithoutHash([52, 53, 54], nameOf(truth))
  return { truth, chunk: packChunk(sums.unpack(truth).map((c, i) => modulo(c + (difference.get(i) ?? 0n)))) }
}

attack({
  name: 'a wrong sum that is chosen after the challenge is known',
  by: 'coordinator alone',
  wins: 'a sum of its own making, which opens, and to which the honest hashes of all of them add up',
  guard: 'the challenge follows from the sum: the hashes of one sum are signed for it, and say nothing of another',
  off: async () => {
    const { truth, chunk } = await lateSum()
    expect(await sums.open(chunk, sums.made.length)).not.toEqual(await sums.open(truth, sums.made.length))
    // Under a challenge that came first, as that of the manifest alone:
    const hashes = await sums.hashesOf(sums.made, nameOf(truth))
    expect(addLinearHashes(hashes)).toEqual(await sums.hashOf(chunk, nameOf(truth)))
  },
  on: async () => {
    const { truth, chunk } = await lateSum()
    const saying = async (changes: Partial<Publication>) => sums.verify(await sums.say(chunk, changes))
    // The hashes that were given for the true sum, under either name; and those that are given for the wrong one.
    const hashes = await sums.signHashes(nameOf(truth))
    expect((await saying({ hashes })).why).toContain('is not signed by it')
    expect((await saying({ sum: nameOf(truth) })).why).toContain('not the one that was published')
    expect((await saying({})).why).toContain('not the sum of the contributions')
    for (const changes of [{ hashes }, { sum: nameOf(truth) }, {}])
      expect((await saying(changes)).found).toBe('wrong-sum')
  },
})
