import { endianness } from 'node:os'
import initialize, {
  type Ciphertext,
  type Evaluator,
  type MainModule,
  type ParmsIdType,
  type Plaintext,
  type SEALContext,
} from 'node-seal/allows'
import { CryptoError } from './crypto-error.ts'
import { POLYNOMIALS_PER_LOAD, RESIDUE_BITS, RING_DEGREE, RING_MODULUS } from './ring-constants.ts'
import { capturingInstantiation, locatePolynomials, type PolynomialView, type WasmMemory } from './wasm-memory.ts'

// 'allows' is the build of SEAL without the check for "transparent" ciphertexts. Here a SEAL ciphertext of size k is
// nothing but k independent polynomials on their way through the transform, so the notion has no meaning.

/**
 * Microsoft SEAL as the arithmetic of R_q = Z_q[X] / (X^2048 + 1), and nothing more: the product of public polynomials
 * (in NTT form) with a small secret one. This file is the only one that imports node-seal.
 *
 * Residues are unsigned 64-bit little-endian integers below q, seen as pairs of 32-bit words (low, high). The views that
 * `operands` and `multiply` give live in SEAL's own memory and are valid until the next call: copy what is to stay.
 */
export interface Ring {
  /** Whether polynomials are read and written in place, or pass through SEAL's serialisation (slower, same results). */
  readonly access: 'direct' | 'serialised'
  /** Brings a small polynomial (2048 signed coefficients, |c| < 2^19) into NTT form. Secret; dispose of it. */
  transformKey(coefficients: Int32Array): RingKey
  /** Where to write `polynomialCount` (1 to 16) public polynomials in NTT form: 4096 words each. */
  operands(polynomialCount: number): Uint32Array
  /** Multiplies what stands in `operands` by `key`: the products' coefficients, 4096 words for each polynomial. Secret. */
  multiply(key: RingKey, polynomialCount: number): Uint32Array
  /** Releases SEAL's objects. The ring cannot be used afterwards. */
  dispose(): void
}

/** A secret polynomial in NTT form inside SEAL. `dispose` overwrites it there. */
export interface RingKey {
  dispose(): void
}

/** Words of one polynomial: two for each residue. */
export const POLYNOMIAL_WORDS = 2 * RING_DEGREE

/** Small keys are lifted through SEAL's plaintext modulus: a coefficient c < 0 is written as LIFT + c. */
const LIFT = 2 ** 20

/** SEAL's ciphertexts hold at least two polynomials. */
const LEAST_LOAD = 2

/**
 * Loads SEAL and fixes the ring.
 *
 * @param access `serialised` forces the fallback (for tests); by default the direct way is taken when its self-check holds
 * @throws CryptoError `ring-unavailable` when SEAL does not accept the parameters under its 128-bit row, or gives another
 * prime; `platform-unsupported` on a big-endian machine.
 */
export async function createRing(access: Ring['access'] = 'direct'): Promise<Ring> {
  if (endianness() !== 'LE') {
    throw new CryptoError('platform-unsupported', 'The wire format is written in place: use a little-endian machine.')
  }
  const capture = access === 'direct' ? capturingInstantiation('node-seal', './dist/seal_allows.wasm') : undefined
  const seal = await initialize(capture ? { instantiateWasm: capture.instantiateWasm } : {})
  const parts = createParts(seal)
  const serialised = serialisedRing(parts)
  const memory = capture?.captured.memory
  return (memory && directRing(parts, serialised, memory)) ?? serialised
}

/** The SEAL objects that live as long as the ring. */
interface Parts {
  readonly seal: MainModule
  readonly context: SEALContext
  readonly parmsId: ParmsIdType
  readonly evaluator: Evaluator
  /** Stays in NTT form: a product is made in `product`, so that nothing has to be transformed back. */
  readonly operand: Ciphertext
  readonly product: Ciphertext
  readonly plaintexts: WeakMap<RingKey, Plaintext>
}

function createParts(seal: MainModule): Parts {
  using parameters = new seal.EncryptionParameters(seal.SchemeType.bfv)
  parameters.setPolyModulusDegree(RING_DEGREE)
  using chain = seal.CoeffModulus.Create(RING_DEGREE, Int32Array.of(RESIDUE_BITS))
  using modulus = chain.get(0)
  using lift = new seal.Modulus(BigInt(LIFT))
  parameters.setCoeffModulus(chain)
  parameters.setPlainModulus(lift)
  const context = new seal.SEALContext(parameters, true, seal.SecLevelType.tc128)
  if (modulus?.value() !== RING_MODULUS || !context.parametersSet()) {
    throw new CryptoError(
      'ring-unavailable',
      'SEAL refuses N = 2048, 54 bits at its 128-bit level, or gives another prime: install the node-seal version of ' +
        'package-lock.json.',
    )
  }
  const parmsId = context.firstParmsId()
  const evaluator = new seal.Evaluator(context)
  const operand = new seal.Ciphertext(context, parmsId, POLYNOMIALS_PER_LOAD)
  operand.resize(POLYNOMIALS_PER_LOAD)
  evaluator.cipherTransformToNttInplace(operand)
  return { seal, context, parmsId, evaluator, operand, product: new seal.Ciphertext(), plaintexts: new WeakMap() }
}

/** What both ways of access share: keys, the multiplication itself, the end. */
function ringOver(
  parts: Parts,
  way: Pick<Ring, 'access' | 'operands'> & { load(count: number): void; product(count: number): Uint32Array },
): Ring {
  const { evaluator, operand, product, plaintexts } = parts
  return {
    access: way.access,
    operands: way.operands,
    transformKey: (coefficients) => transformKey(parts, coefficients),
    multiply: (key, polynomialCount) => {
      const plaintext = plaintexts.get(key)
      if (plaintext === undefined) {
        throw new CryptoError('already-disposed', 'This ring key was disposed of: transform the key again.')
      }
      way.load(polynomialCount)
      evaluator.multiplyPlain(operand, plaintext, product)
      evaluator.cipherTransformFromNttInplace(product)
      return way.product(polynomialCount)
    },
    dispose: () => {
      for (const object of [product, operand, evaluator, parts.parmsId, parts.context]) object.delete()
    },
  }
}

function transformKey(parts: Parts, coefficients: Int32Array): RingKey {
  const { seal, context, evaluator, parmsId, plaintexts } = parts
  const plaintext = new seal.Plaintext(RING_DEGREE)
  const bytes: Uint8Array = plaintext.saveToArray(seal.ComprModeType.none)
  const words = new Uint32Array(POLYNOMIAL_WORDS)
  for (let i = 0; i < RING_DEGREE; i++) words[2 * i] = coefficients[i] < 0 ? LIFT + coefficients[i] : coefficients[i]
  bytes.set(new Uint8Array(words.buffer), bytes.length - words.byteLength)
  plaintext.loadFromArray(context, bytes)
  evaluator.plainTransformToNttInplace(plaintext, parmsId)
  words.fill(0)
  bytes.fill(0)
  const key: RingKey = {
    dispose: () => {
      if (!plaintexts.delete(key)) return
      // SEAL's pool does not erase what it takes back.
      plaintext.setZero()
      plaintext.delete()
    },
  }
  plaintexts.set(key, plaintext)
  return key
}

/** Through SEAL's own serialisation, uncompressed: a header that depends on the load only, then the residues. */
function serialisedRing(parts: Parts): Ring {
  const { seal, context, operand, product } = parts
  const words = new Uint32Array(POLYNOMIALS_PER_LOAD * POLYNOMIAL_WORDS)
  const results = new Uint32Array(words.length)
  const headers: Uint8Array[] = []
  const headerOf = (load: number): Uint8Array => {
    operand.resize(load)
    const saved: Uint8Array = operand.saveToArray(seal.ComprModeType.none)
    return saved.slice(0, saved.length - load * POLYNOMIAL_WORDS * 4)
  }
  return ringOver(parts, {
    access: 'serialised',
    operands: (count) => words.subarray(0, count * POLYNOMIAL_WORDS),
    load: (count) => {
      const load = Math.max(LEAST_LOAD, count)
      headers[load] ??= headerOf(load)
      const header = headers[load]
      const bytes = new Uint8Array(header.length + load * POLYNOMIAL_WORDS * 4)
      bytes.set(header)
      bytes.set(new Uint8Array(words.buffer, 0, bytes.length - header.length), header.length)
      operand.loadFromArray(context, bytes)
    },
    product: (count) => {
      const saved: Uint8Array = product.saveToArray(seal.ComprModeType.none)
      const wanted = results.subarray(0, count * POLYNOMIAL_WORDS)
      const start = saved.length - product.size() * POLYNOMIAL_WORDS * 4
      new Uint8Array(results.buffer).set(saved.subarray(start, start + wanted.byteLength))
      return wanted
    },
  })
}

/** In place. `undefined` when the self-check finds anything but what serialisation gives. */
function directRing(parts: Parts, serialised: Ring, memory: WasmMemory): Ring | undefined {
  const { operand, product } = parts
  const selfCheckKey = serialised.transformKey(Int32Array.from({ length: RING_DEGREE }, (_, i) => (i % 13) - 6))
  try {
    const pattern = serialised.operands(POLYNOMIALS_PER_LOAD)
    for (let i = 0; i < pattern.length; i++) pattern[i] = i % 2 ? (i * 977) % 2 ** 21 : Math.imul(i, 0x9e3779b1)
    const expected = serialised.multiply(selfCheckKey, POLYNOMIALS_PER_LOAD).slice()
    const views = locatePolynomials(memory, [
      { handle: operand, words: pattern },
      { handle: product, words: expected },
    ])
    if (views === undefined) return undefined
    const ring = directRingOver(parts, views[0], views[1])
    ring.operands(POLYNOMIALS_PER_LOAD).set(pattern.toReversed().map((word) => word % 2 ** 21))
    serialised.operands(POLYNOMIALS_PER_LOAD).set(ring.operands(POLYNOMIALS_PER_LOAD))
    const got = ring.multiply(selfCheckKey, POLYNOMIALS_PER_LOAD).slice()
    const wanted = serialised.multiply(selfCheckKey, POLYNOMIALS_PER_LOAD)
    return got.every((word, i) => word === wanted[i]) ? ring : undefined
  } finally {
    selfCheckKey.dispose()
  }
}

function directRingOver(parts: Parts, operandView: PolynomialView, productView: PolynomialView): Ring {
  const { operand } = parts
  let loaded = POLYNOMIALS_PER_LOAD
  const resize = (count: number): void => {
    const load = Math.max(LEAST_LOAD, count)
    if (load !== loaded) operand.resize(load)
    loaded = load
  }
  return ringOver(parts, {
    access: 'direct',
    operands: (count) => {
      // Before the view is taken: growing clears the polynomials that come in.
      resize(count)
      return operandView(count * POLYNOMIAL_WORDS)
    },
    load: resize,
    product: (count) => productView(count * POLYNOMIAL_WORDS),
  })
}
