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
 * (in NTT form) with a small secret one, and products residue by residue. This file is the only one that imports node-seal.
 *
 * Residues are unsigned 64-bit little-endian integers below q, seen as pairs of 32-bit words (low, high). The views that
 * this gives live in SEAL's own memory and are valid until the next call: copy what is to stay.
 */
export interface Ring {
  /** Whether polynomials are read and written in place, or pass through SEAL's serialisation (slower, same results). */
  readonly access: 'direct' | 'serialised'
  /** Brings a small polynomial (2048 signed coefficients, |c| < 2^31) into NTT form. Secret; dispose of it. */
  transformKey(coefficients: Int32Array): RingKey
  /** Takes a polynomial as it is, in NTT form: 2048 residues below q, 4096 words; copied. Dispose of it. */
  loadKey(words: Uint32Array): RingKey
  /** Where to write `polynomialCount` (1 to 16) public polynomials in NTT form: 4096 words each. */
  operands(polynomialCount: number): Uint32Array
  /** Multiplies what stands in `operands` by `key`: the products' coefficients, 4096 words for each polynomial. Secret. */
  multiply(key: RingKey, polynomialCount: number): Uint32Array
  /** As `multiply`, with the products left in NTT form: residue by residue, operand k times key k modulo q. */
  multiplyResidues(key: RingKey, polynomialCount: number): Uint32Array
  /** Where to write `polynomialCount` (1 to 16) polynomials as the next term of weighted sums: 4096 words each. */
  term(polynomialCount: number): Uint32Array
  /** An empty weighted sum. Dispose of it. */
  createSum(): WeightedSum
  /** Releases SEAL's objects. The ring cannot be used afterwards. */
  dispose(): void
}

/** A polynomial in NTT form inside SEAL, secret unless it was loaded from what is public. `dispose` overwrites it there. */
export interface RingKey {
  dispose(): void
}

/** Σ weight · term inside SEAL, modulo q: 16 polynomials, of which shorter terms leave the last as they are. */
export interface WeightedSum {
  /** Adds `weight`, an integer from 0 to 2^53 − 1, times what stands in the ring's `term`, which stays there. */
  add(weight: number, polynomialCount: number): void
  /** The residues of all 16 polynomials, 4096 words each. */
  read(): Uint32Array
  dispose(): void
}

/** Words of one polynomial: two for each residue. */
export const POLYNOMIAL_WORDS = 2 * RING_DEGREE

/**
 * SEAL's plaintext modulus, of which nothing is wanted but to be as large as a power of two below q can be: a key's
 * coefficient c < 0 is written as LIFT + c, and a weight is a plaintext.
 */
const LIFT = 2 ** 53
const LIFT_HIGH_WORD = LIFT / 2 ** 32

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
  const serialised = ringOver(parts, 'serialised', (ciphertext) => serialisedPort(parts, ciphertext))
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
  /** Not in NTT form: the product with a constant is then the faster one, by one number that SEAL prepares. */
  readonly term: Ciphertext
  readonly weight: Plaintext
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
  const term = new seal.Ciphertext(context, parmsId, POLYNOMIALS_PER_LOAD)
  const [product, weight] = [new seal.Ciphertext(), new seal.Plaintext(1)]
  return { seal, context, parmsId, evaluator, operand, product, term, weight, plaintexts: new WeakMap() }
}

/** How the polynomials of one SEAL ciphertext are written and read. */
interface Port {
  /** Where to write the first `count` polynomials. */
  write(count: number): Uint32Array
  /** Brings what was written into SEAL, as a ciphertext of `count` polynomials, or of two when that is fewer. */
  load(count: number): void
  read(count: number): Uint32Array
}

/** What both ways of access share. */
function ringOver(parts: Parts, access: Ring['access'], portOf: (ciphertext: Ciphertext) => Port): Ring {
  const { evaluator, operand, product, term, weight, plaintexts } = parts
  const [operandPort, productPort, termPort] = [portOf(operand), portOf(product), portOf(term)]
  const multiplyInNttForm = (key: RingKey, polynomialCount: number): void => {
    const plaintext = plaintexts.get(key)
    if (plaintext === undefined) {
      throw new CryptoError('already-disposed', 'This ring key was disposed of: transform the key again.')
    }
    operandPort.load(polynomialCount)
    evaluator.multiplyPlain(operand, plaintext, product)
  }
  return {
    access,
    operands: operandPort.write,
    transformKey: (coefficients) => transformKey(parts, coefficients),
    loadKey: (words) => loadKey(parts, words),
    multiply: (key, polynomialCount) => {
      multiplyInNttForm(key, polynomialCount)
      evaluator.cipherTransformFromNttInplace(product)
      return productPort.read(polynomialCount)
    },
    multiplyResidues: (key, polynomialCount) => {
      multiplyInNttForm(key, polynomialCount)
      return productPort.read(polynomialCount)
    },
    term: (polynomialCount) => {
      // SEAL takes two at least: the second is not to be one of an earlier term.
      const words = termPort.write(Math.max(LEAST_LOAD, polynomialCount))
      words.fill(0, polynomialCount * POLYNOMIAL_WORDS)
      return words.subarray(0, polynomialCount * POLYNOMIAL_WORDS)
    },
    createSum: () => createSum(parts, termPort, portOf),
    dispose: () => {
      for (const object of [product, operand, term, weight, evaluator, parts.parmsId, parts.context]) object.delete()
    },
  }
}

function createSum(parts: Parts, termPort: Port, portOf: (ciphertext: Ciphertext) => Port): WeightedSum {
  const { seal, context, parmsId, evaluator, term, weight, product } = parts
  const sum = new seal.Ciphertext(context, parmsId, POLYNOMIALS_PER_LOAD)
  sum.resize(POLYNOMIALS_PER_LOAD)
  const port = portOf(sum)
  const weightBytes: Uint8Array = weight.saveToArray(seal.ComprModeType.none)
  const weightView = new DataView(weightBytes.buffer, weightBytes.byteOffset + weightBytes.length - 8)
  return {
    add: (value, polynomialCount) => {
      weightView.setBigUint64(0, BigInt(value), true)
      weight.loadFromArray(context, weightBytes)
      termPort.load(polynomialCount)
      evaluator.multiplyPlain(term, weight, product)
      evaluator.addInplace(sum, product)
    },
    read: () => port.read(POLYNOMIALS_PER_LOAD),
    dispose: () => sum.delete(),
  }
}

function transformKey(parts: Parts, coefficients: Int32Array): RingKey {
  const { seal, context, evaluator, parmsId } = parts
  const plaintext = new seal.Plaintext(RING_DEGREE)
  const bytes: Uint8Array = plaintext.saveToArray(seal.ComprModeType.none)
  const words = new Uint32Array(POLYNOMIAL_WORDS)
  for (let i = 0; i < RING_DEGREE; i++) {
    // LIFT + c in two words: the low one is that of c in two's complement.
    words[2 * i] = coefficients[i]
    words[2 * i + 1] = coefficients[i] < 0 ? LIFT_HIGH_WORD - 1 : 0
  }
  bytes.set(new Uint8Array(words.buffer), bytes.length - words.byteLength)
  plaintext.loadFromArray(context, bytes)
  evaluator.plainTransformToNttInplace(plaintext, parmsId)
  words.fill(0)
  bytes.fill(0)
  return keepKey(parts, plaintext)
}

/** What SEAL saves of a polynomial in NTT form says that it is in NTT form; its residues are then exchanged. */
function loadKey(parts: Parts, words: Uint32Array): RingKey {
  const { seal, context, evaluator, parmsId } = parts
  const plaintext = new seal.Plaintext(RING_DEGREE)
  evaluator.plainTransformToNttInplace(plaintext, parmsId)
  const bytes: Uint8Array = plaintext.saveToArray(seal.ComprModeType.none)
  bytes.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), bytes.length - words.byteLength)
  plaintext.loadFromArray(context, bytes)
  bytes.fill(0)
  return keepKey(parts, plaintext)
}

function keepKey({ plaintexts }: Parts, plaintext: Plaintext): RingKey {
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
function serialisedPort({ seal, context }: Parts, ciphertext: Ciphertext): Port {
  const words = new Uint32Array(POLYNOMIALS_PER_LOAD * POLYNOMIAL_WORDS)
  const headers: Uint8Array[] = []
  const headerOf = (load: number): Uint8Array => {
    ciphertext.resize(load)
    const saved: Uint8Array = ciphertext.saveToArray(seal.ComprModeType.none)
    return saved.slice(0, saved.length - load * POLYNOMIAL_WORDS * 4)
  }
  return {
    write: (count) => words.subarray(0, count * POLYNOMIAL_WORDS),
    load: (count) => {
      const load = Math.max(LEAST_LOAD, count)
      headers[load] ??= headerOf(load)
      const header = headers[load]
      const bytes = new Uint8Array(header.length + load * POLYNOMIAL_WORDS * 4)
      bytes.set(header)
      bytes.set(new Uint8Array(words.buffer, 0, bytes.length - header.length), header.length)
      ciphertext.loadFromArray(context, bytes)
    },
    read: (count) => {
      const saved: Uint8Array = ciphertext.saveToArray(seal.ComprModeType.none)
      const wanted = words.subarray(0, count * POLYNOMIAL_WORDS)
      const start = saved.length - ciphertext.size() * POLYNOMIAL_WORDS * 4
      new Uint8Array(words.buffer).set(saved.subarray(start, start + wanted.byteLength))
      return wanted
    },
  }
}

/** In place. `undefined` when the self-check finds anything but what serialisation gives. */
function directRing(parts: Parts, serialised: Ring, memory: WasmMemory): Ring | undefined {
  const { operand, product } = parts
  const selfCheckKey = serialised.transformKey(Int32Array.from({ length: RING_DEGREE }, (_, i) => (i % 13) - 6))
  try {
    const pattern = serialised.operands(POLYNOMIALS_PER_LOAD)
    for (let i = 0; i < pattern.length; i++) pattern[i] = i % 2 ? (i * 977) % 2 ** 21 : Math.imul(i, 0x9e3779b1)
    const expected = serialised.multiply(selfCheckKey, POLYNOMIALS_PER_LOAD).slice()
    const viewOf = locatePolynomials(memory, [
      { handle: operand, words: pattern },
      { handle: product, words: expected },
    ])
    if (viewOf === undefined) return undefined
    const ring = ringOver(parts, 'direct', (ciphertext) => directPort(ciphertext, viewOf(ciphertext)))
    ring.operands(POLYNOMIALS_PER_LOAD).set(pattern.toReversed().map((word) => word % 2 ** 21))
    serialised.operands(POLYNOMIALS_PER_LOAD).set(ring.operands(POLYNOMIALS_PER_LOAD))
    const got = ring.multiply(selfCheckKey, POLYNOMIALS_PER_LOAD).slice()
    const wanted = serialised.multiply(selfCheckKey, POLYNOMIALS_PER_LOAD)
    return got.every((word, i) => word === wanted[i]) ? ring : undefined
  } finally {
    selfCheckKey.dispose()
  }
}

function directPort(ciphertext: Ciphertext, view: PolynomialView): Port {
  let loaded = 0
  const load = (count: number): void => {
    const polynomials = Math.max(LEAST_LOAD, count)
    if (polynomials !== loaded) ciphertext.resize(polynomials)
    loaded = polynomials
  }
  return {
    write: (count) => {
      // Before the view is taken: growing clears the polynomials that come in.
      load(count)
      return view(count * POLYNOMIAL_WORDS)
    },
    load,
    read: (count) => view(count * POLYNOMIAL_WORDS),
  }
}
