import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { decodeModelFile, encodeModelFile } from '../../src/learning/model-file.ts'
import { cnn, logistic, mlp } from '../../src/learning/model-presets.ts'
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from '../../src/learning/safetensors.ts'

/** Written by the Python package safetensors 0.8.0 (`safetensors.numpy.save_file`). */
const BY_PYTHON = Buffer.from(
  'qAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJieSI6InB5dGhvbiJ9LCJsYXllcnMuMC5iaWFzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyXSwi' +
    'ZGF0YV9vZmZzZXRzIjpbMCw4XX0sImxheWVycy4wLmtlcm5lbCI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMiwyXSwiZGF0YV9vZmZzZXRzIjpb' +
    'OCwyNF19fSAAAACAAACAfwAAgD8AAADAAAAAPwAAUEA=',
  'base64',
)

const TENSORS: NamedTensor[] = [
  { name: 'layers.0.bias', shape: [2], values: Float32Array.of(-0, Number.POSITIVE_INFINITY) },
  { name: 'layers.0.kernel', shape: [2, 2], values: Float32Array.of(1, -2, 0.5, 3.25) },
]

/** A file from a header as text, its length field and the data's length. */
function fileOf(header: string, dataBytes: number, headerBytes = Buffer.byteLength(header)): Uint8Array {
  const file = Buffer.alloc(8 + Buffer.byteLength(header) + dataBytes)
  file.writeBigUInt64LE(BigInt(headerBytes))
  file.write(header, 8)
  return file
}

function tensor(shape: unknown, offsets: unknown, dtype = 'F32'): string {
  return JSON.stringify({ dtype, shape, data_offsets: offsets })
}

describe('safetensors', () => {
  it('reads what the Python package wrote, and writes the same bytes', () => {
    expect(decodeSafetensors(BY_PYTHON)).toEqual({ tensors: TENSORS, metadata: { by: 'python' } })
    expect(Buffer.from(encodeSafetensors({ tensors: TENSORS, metadata: { by: 'python' } }))).toEqual(BY_PYTHON)
  })

  it('gives back any tensors bit for bit, in their order, from any position in memory', () => {
    const tensors = fc
      .uniqueArray(
        fc.record({
          name: fc.string({ unit: 'binary' }),
          rows: fc.nat(4),
          columns: fc.nat(5),
          bits: fc.nat(2 ** 31 - 1),
        }),
        { selector: ({ name }) => name, maxLength: 6 },
      )
      .filter((list) => list.every(({ name }) => name !== '__metadata__' && name.isWellFormed()))
    fc.assert(
      fc.property(tensors, fc.nat(7), (list, shift) => {
        const named = list.map(({ name, rows, columns, bits }) => ({
          name,
          shape: [rows, columns],
          values: new Float32Array(new Uint32Array(rows * columns).fill(bits).buffer),
        }))
        const file = encodeSafetensors({ tensors: named, metadata: { a: 'b' } })
        const shifted = new Uint8Array(file.length + shift)
        shifted.set(file, shift)
        const decoded = decodeSafetensors(shifted.subarray(shift)).tensors
        const plain = (all: readonly NamedTensor[]) =>
          all.map(({ name, shape, values }) => [
            name,
            shape.join('x'),
            Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex'),
          ])
        // Empty tensors share their offset with a neighbour, so only the others have an order.
        const filled = (all: readonly NamedTensor[]) => all.filter(({ values }) => values.length > 0)
        expect(plain(filled(decoded))).toEqual(plain(filled(named)))
        expect(decoded.length).toBe(named.length)
      }),
    )
  })

  it.each([
    ['an empty file', new Uint8Array(), 'safetensors-truncated'],
    ['a header longer than the file', fileOf('{}', 0, 3), 'safetensors-truncated'],
    ['a header length near 2^64', Buffer.alloc(16, 0xff), 'safetensors-header-too-large'],
    ['a header over the limit', fileOf('{}', 0, 4 * 1024 * 1024 + 1), 'safetensors-header-too-large'],
    ['a header that is not JSON', fileOf('{"a":', 0), 'safetensors-header-invalid'],
    ['a header that is not UTF-8', Buffer.from('0200000000000000ff7b', 'hex'), 'safetensors-header-invalid'],
    ['a header that is an array', fileOf('[]', 0), 'safetensors-header-invalid'],
    ['white space before the header', fileOf(' {}', 0), 'safetensors-header-invalid'],
    ['a tensor without a shape', fileOf('{"a":{"dtype":"F32","data_offsets":[0,0]}}', 0), 'safetensors-header-invalid'],
    [
      'an unknown member of a tensor',
      fileOf('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}}', 0),
      'safetensors-header-invalid',
    ],
    ['metadata that is not text', fileOf('{"__metadata__":{"a":1}}', 0), 'safetensors-header-invalid'],
    ['negative offsets', fileOf(`{"a":${tensor([1], [-4, 0])}}`, 0), 'safetensors-header-invalid'],
    [
      'a tensor named twice',
      fileOf(`{"a":${tensor([1], [0, 4])},"\\u0061":${tensor([1], [0, 4])}}`, 4),
      'safetensors-header-invalid',
    ],
    ['another number type', fileOf(`{"a":${tensor([1], [0, 2], 'F16')}}`, 2), 'safetensors-dtype-unsupported'],
    ['a negative axis', fileOf(`{"a":${tensor([-1, -1], [0, 4])}}`, 4), 'safetensors-shape-invalid'],
    ['a fractional axis', fileOf(`{"a":${tensor([0.5, 2], [0, 4])}}`, 4), 'safetensors-shape-invalid'],
    [
      'a shape whose product overflows',
      fileOf(`{"a":${tensor([2 ** 31, 2 ** 31], [0, 4])}}`, 4),
      'safetensors-shape-invalid',
    ],
    [
      'a shape that overflows on its way to zero',
      fileOf(`{"a":${tensor([2 ** 40, 2 ** 40, 0], [0, 0])}}`, 0),
      'safetensors-shape-invalid',
    ],
    ['offsets that do not span the shape', fileOf(`{"a":${tensor([2], [0, 4])}}`, 4), 'safetensors-offsets-invalid'],
    ['offsets the wrong way round', fileOf(`{"a":${tensor([1], [4, 0])}}`, 4), 'safetensors-offsets-invalid'],
    ['a hole at the start', fileOf(`{"a":${tensor([1], [4, 8])}}`, 8), 'safetensors-offsets-invalid'],
    [
      'a hole between tensors',
      fileOf(`{"a":${tensor([1], [0, 4])},"b":${tensor([1], [8, 12])}}`, 12),
      'safetensors-offsets-invalid',
    ],
    [
      'overlapping tensors',
      fileOf(`{"a":${tensor([2], [0, 8])},"b":${tensor([2], [4, 12])}}`, 12),
      'safetensors-offsets-invalid',
    ],
    ['data that end early', fileOf(`{"a":${tensor([4], [0, 16])}}`, 15), 'safetensors-truncated'],
    [
      'an astronomic tensor in a short file',
      fileOf(`{"a":${tensor([2 ** 50], [0, 2 ** 52])}}`, 16),
      'safetensors-truncated',
    ],
    ['bytes after the last tensor', fileOf(`{"a":${tensor([1], [0, 4])}}`, 5), 'safetensors-trailing-bytes'],
  ])('refuses %s', (_, file, code) => {
    expect(() => decodeSafetensors(file)).toThrow(expect.objectContaining({ code }))
  })

  it('answers any damage to a file with a named error or a well-formed result', () => {
    fc.assert(
      fc.property(fc.nat(BY_PYTHON.length - 1), fc.nat(255), (position, byte) => {
        const damaged = Buffer.from(BY_PYTHON)
        damaged[position] = byte
        try {
          for (const { shape, values } of decodeSafetensors(damaged).tensors) {
            expect(values.length).toBe(shape.reduce((size, axis) => size * axis, 1))
          }
        } catch (error) {
          expect(error).toMatchObject({ name: 'LearningError', code: expect.stringMatching(/^safetensors-/) })
        }
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['twice the same name', [TENSORS[0], TENSORS[0]]],
    ['the reserved name', [{ ...TENSORS[0], name: '__metadata__' }]],
    ['values that do not fill the shape', [{ ...TENSORS[0], shape: [3] }]],
  ])('refuses to write %s', (_, tensors) => {
    expect(() => encodeSafetensors({ tensors, metadata: {} })).toThrow(
      expect.objectContaining({ code: 'safetensors-tensor-invalid' }),
    )
  })
})

describe('model file', () => {
  const model = cnn([8, 8, 1], 3)
  const weights = initialWeights(model, new Uint8Array(32))

  it('carries description, weights and further metadata', () => {
    const file = encodeModelFile(model, weights, { job: 'heart' })
    expect(decodeModelFile(file)).toEqual({ model, weights, metadata: { job: 'heart' } })
  })

  it('is read whatever the order of its tensors', () => {
    const { tensors, metadata } = decodeSafetensors(encodeModelFile(model, weights))
    const rewritten = encodeSafetensors({ tensors: [...tensors].reverse(), metadata })
    expect(decodeModelFile(rewritten).weights).toEqual(weights)
  })

  it.each([
    ['a missing tensor', (tensors: readonly NamedTensor[]) => tensors.slice(1)],
    ['a tensor of another shape', (tensors: readonly NamedTensor[]) => [{ ...tensors[0], shape: [1, 2] }, tensors[1]]],
    ['a tensor of another name', (tensors: readonly NamedTensor[]) => [{ ...tensors[0], name: 'w' }, tensors[1]]],
  ])('is refused with %s', (_, change) => {
    const { tensors, metadata } = decodeSafetensors(encodeModelFile(logistic(2), Float32Array.of(1, 2, 3)))
    const file = encodeSafetensors({ tensors: change(tensors), metadata })
    expect(() => decodeModelFile(file)).toThrow(expect.objectContaining({ code: 'weights-length-mismatch' }))
  })

  it('is refused without a description, and not written for weights of another model', () => {
    const bare = encodeSafetensors({ tensors: TENSORS, metadata: {} })
    expect(() => decodeModelFile(bare)).toThrow(expect.objectContaining({ code: 'model-invalid' }))
    expect(() => encodeModelFile(mlp(3, [2]), weights)).toThrow(
      expect.objectContaining({ code: 'weights-length-mismatch' }),
    )
  })
})
