/**
 * The bar: key-additive RLWE with node-seal used in the straightforward way, through its serialisation, one ciphertext of
 * two polynomials at a time. The same mathematics as src/crypto, no packing on the wire. Only the bench runs it.
 */
import { createCipheriv, randomBytes } from 'node:crypto'
import initialize from 'node-seal/allows'

const N = 2048
const SIGMA = 6.7
const WORD = 2 ** 32
const HEADER = 113

export interface Straightforward {
  readonly lanes: number
  protect(values: Uint32Array, key: Int32Array, seed: Uint8Array): Uint32Array
  addInto(sum: Uint32Array, contribution: Uint32Array): void
  open(sum: Uint32Array, keySum: Int32Array, seed: Uint8Array, length: number): Float64Array
}

export async function createStraightforward(contributors: number, precisionBits: number): Promise<Straightforward> {
  const seal = await initialize()
  const none = seal.ComprModeType.none
  const parameters = new seal.EncryptionParameters(seal.SchemeType.bfv)
  parameters.setPolyModulusDegree(N)
  const chain = seal.CoeffModulus.Create(N, Int32Array.from([54]))
  const q: bigint = chain.get(0)!.value()
  parameters.setCoeffModulus(chain)
  parameters.setPlainModulus(new seal.Modulus(1n << 20n))
  const context = new seal.SEALContext(parameters, true, seal.SecLevelType.tc128)
  const evaluator = new seal.Evaluator(context)
  const qHigh = Number(q >> 32n)
  const qLow = Number(q & 0xffffffffn)
  const probe = new seal.Ciphertext()
  new seal.Encryptor(context, new seal.KeyGenerator(context).createPublicKey()).encryptZero(probe)
  const coefficientHeader = probe.saveToArray(none).slice(0, HEADER)
  evaluator.cipherTransformToNttInplace(probe)
  const nttHeader = probe.saveToArray(none).slice(0, HEADER)
  const buffer = new Uint8Array(HEADER + 2 * N * 8)
  const A = new seal.Ciphertext()
  const X = new seal.Ciphertext()
  const deltaBits = Math.ceil(Math.log2(2 * 14 * SIGMA * Math.sqrt(contributors)))
  const laneBits = precisionBits + Math.ceil(Math.log2(contributors))
  const lanes = Math.floor((53 - deltaBits) / laneBits)

  const load = (header: Uint8Array, words: Uint32Array, target: typeof A) => {
    buffer.set(header)
    buffer.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), HEADER)
    target.loadFromArray(context, buffer)
  }
  const store = (source: typeof A) => {
    const bytes = source.saveToArray(none)
    return new Uint32Array(bytes.slice(HEADER, HEADER + 2 * N * 8).buffer)
  }
  const keyToNtt = (key: Int32Array) => {
    const plain = new seal.Plaintext(N)
    const bytes = plain.saveToArray(none)
    const words = new Uint32Array(2 * N)
    for (let i = 0; i < N; i++) words[2 * i] = key[i] < 0 ? 2 ** 20 + key[i] : key[i]
    bytes.set(new Uint8Array(words.buffer), bytes.length - N * 8)
    plain.loadFromArray(context, bytes)
    evaluator.plainTransformToNttInplace(plain, context.firstParmsId())
    return plain
  }
  const expand = (seed: Uint8Array, k: number) => {
    const iv = Buffer.alloc(16)
    iv.writeUInt32BE(k, 0)
    const stream = createCipheriv('aes-256-ctr', seed, iv).update(Buffer.alloc(2 * N * 8 + 512))
    const source = new Uint32Array(new Uint8Array(stream).buffer)
    const out = new Uint32Array(4 * N)
    for (let i = 0, j = 0; i < 2 * N; i++) {
      let low: number
      let high: number
      do {
        low = source[j++]
        high = source[j++] & 0x3fffff
      } while (high > qHigh || (high === qHigh && low >= qLow))
      out[2 * i] = low
      out[2 * i + 1] = high
    }
    return out
  }
  const gaussian = makeGaussian()
  const pairsFor = (length: number) => Math.ceil(length / lanes / (2 * N))

  return {
    lanes,
    protect(values, key, seed) {
      const pairs = pairsFor(values.length)
      const s = keyToNtt(key)
      const out = new Uint32Array(pairs * 4 * N)
      const x = new Uint32Array(4 * N)
      const laneScale = 2 ** laneBits
      const delta = 2 ** deltaBits
      for (let k = 0; k < pairs; k++) {
        const e = gaussian(2 * N)
        const base = k * 2 * N * lanes
        for (let i = 0; i < 2 * N; i++) {
          let m = 0
          for (let l = lanes - 1; l >= 0; l--) m = m * laneScale + (values[base + i * lanes + l] | 0)
          const v = m * delta + e[i]
          let high = Math.floor(v / WORD)
          let low = v - high * WORD
          if (high < 0) {
            low += qLow
            high += qHigh
            if (low >= WORD) {
              low -= WORD
              high++
            }
          }
          x[2 * i] = low
          x[2 * i + 1] = high
        }
        load(nttHeader, expand(seed, k), A)
        load(coefficientHeader, x, X)
        evaluator.multiplyPlainInplace(A, s)
        evaluator.cipherTransformFromNttInplace(A)
        evaluator.addInplace(A, X)
        out.set(store(A), k * 4 * N)
      }
      s.delete()
      return out
    },
    addInto(sum, contribution) {
      for (let i = 0; i < sum.length; i += 2) {
        let low = sum[i] + contribution[i]
        let high = sum[i + 1] + contribution[i + 1]
        if (low >= WORD) {
          low -= WORD
          high++
        }
        if (high > qHigh || (high === qHigh && low >= qLow)) {
          low -= qLow
          high -= qHigh
          if (low < 0) {
            low += WORD
            high--
          }
        }
        sum[i] = low
        sum[i + 1] = high
      }
    },
    open(sum, keySum, seed, length) {
      const pairs = pairsFor(length)
      const s = keyToNtt(keySum)
      const out = new Float64Array(pairs * 2 * N * lanes)
      const laneScale = 2 ** laneBits
      const delta = 2 ** deltaBits
      const half = delta / 2
      for (let k = 0; k < pairs; k++) {
        load(nttHeader, expand(seed, k), A)
        load(coefficientHeader, sum.subarray(k * 4 * N, (k + 1) * 4 * N), X)
        evaluator.multiplyPlainInplace(A, s)
        evaluator.cipherTransformFromNttInplace(A)
        evaluator.subInplace(X, A)
        const x = store(X)
        for (let i = 0; i < 2 * N; i++) {
          let v = x[2 * i + 1] * WORD + x[2 * i]
          if (x[2 * i + 1] >= qHigh - 1) v -= Number(q)
          let m = Math.floor((v + half) / delta)
          for (let l = 0; l < lanes; l++) {
            const rest = Math.floor(m / laneScale)
            out[(k * 2 * N + i) * lanes + l] = m - rest * laneScale
            m = rest
          }
        }
      }
      s.delete()
      return out.subarray(0, length)
    },
  }
}

/** Inversion with a guide table in doubles: the cut at 2^-53 is the known gap of the straightforward way. */
function makeGaussian(): (count: number) => Int32Array {
  const tail = Math.ceil(14 * SIGMA)
  const mass = Array.from({ length: 2 * tail + 1 }, (_, i) => Math.exp(-((i - tail) ** 2) / (2 * SIGMA * SIGMA)))
  const total = mass.reduce((a, b) => a + b)
  const cumulative = new Float64Array(mass.length)
  let running = 0
  mass.forEach((m, i) => {
    running += m
    cumulative[i] = (running / total) * 2 ** 53
  })
  const guide = new Uint16Array(4096)
  for (let g = 0, k = 0; g < 4096; g++) {
    while (cumulative[k] <= g * 2 ** 41) k++
    guide[g] = k
  }
  return (count) => {
    const bytes = randomBytes(count * 8)
    const draws = new Uint32Array(new Uint8Array(bytes).buffer)
    const out = new Int32Array(count)
    for (let i = 0; i < count; i++) {
      const top = draws[2 * i] & 0x1fffff
      const u = top * WORD + draws[2 * i + 1]
      let k = guide[top >>> 9]
      while (cumulative[k] <= u) k++
      out[i] = k - tail
    }
    return out
  }
}
