import { endianness } from 'node:os'
import { LearningError } from './learning-error.ts'
import { type Shape, sizeOf } from './model-shapes.ts'
import { decodeHeader, encodeHeader } from './safetensors-header.ts'

/** A named float32 tensor, row-major. */
export interface NamedTensor {
  /** Any text but `__metadata__`; unique within a file. */
  readonly name: string
  readonly shape: Shape
  /** As many values as the shape says. */
  readonly values: Float32Array
}

/** What a safetensors file of float32 tensors holds. */
export interface SafetensorsContent {
  /** In the order of their data. */
  readonly tensors: readonly NamedTensor[]
  /** Free text by name. */
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Writes tensors in the safetensors format (github.com/huggingface/safetensors, "Format"): length of the header (uint64,
 * little-endian), JSON header, data. The tensors keep their order and are aligned to 8 bytes as a whole.
 * @throws LearningError `safetensors-tensor-invalid` for a name used twice or reserved, or values that do not fill the
 *   shape
 */
export function encodeSafetensors(content: SafetensorsContent): Uint8Array {
  return new Uint8Array(Buffer.concat(safetensorsPieces(content)))
}

/**
 * As {@link encodeSafetensors}, in pieces that follow each other: the header, then each tensor's bytes, which are views of its
 * values where the machine is little-endian: a large file is not copied.
 */
export function safetensorsPieces({ tensors, metadata }: SafetensorsContent): Uint8Array[] {
  const names = new Set(['__metadata__'])
  for (const { name, shape, values } of tensors) {
    if (names.has(name)) throw invalidTensor(name, 'has a name that is taken')
    if (sizeOf(shape) !== values.length) throw invalidTensor(name, `has ${values.length} values for ${sizeOf(shape)}`)
    names.add(name)
  }
  const header = encodeHeader(
    tensors.map(({ name, shape, values }) => ({ name, shape, bytes: values.byteLength })),
    metadata,
  )
  return [header, ...tensors.map(({ values }) => float32Bytes(values))]
}

/** Values as the format has them: a view where the machine is little-endian. */
export function float32Bytes(values: Float32Array): Uint8Array {
  return littleEndian(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
}

/**
 * Reads a safetensors file of float32 tensors. The whole header is checked before memory is taken: lengths, shapes,
 * names used twice, holes, overlaps, bytes left over. The values are views of the file where it is aligned to 4 bytes and the
 * machine is little-endian, else copies; they may hold NaN or infinities.
 * @throws LearningError `safetensors-truncated`, `safetensors-header-too-large`, `safetensors-header-invalid`,
 *   `safetensors-dtype-unsupported`, `safetensors-shape-invalid`, `safetensors-offsets-invalid`,
 *   `safetensors-trailing-bytes`
 */
export function decodeSafetensors(file: Uint8Array): SafetensorsContent {
  const { tensors, metadata } = decodeHeader(file)
  return {
    metadata,
    tensors: tensors.map(({ name, shape, start, end }) => {
      const bytes = littleEndian(aligned(file.subarray(start, end)))
      return { name, shape, values: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4) }
    }),
  }
}

/** A view that floats can be read from: the bytes themselves, or a copy. */
function aligned(bytes: Uint8Array): Uint8Array {
  // Not slice(): of a Buffer, that is no copy.
  return bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
}

/** The format is little-endian; on big-endian machines the bytes are swapped into a copy. */
function littleEndian(bytes: Uint8Array<ArrayBuffer> | Uint8Array): Uint8Array {
  if (endianness() === 'LE') return bytes
  const swapped = new Uint8Array(bytes)
  Buffer.from(swapped.buffer).swap32()
  return swapped
}

function invalidTensor(name: string, what: string): LearningError {
  return new LearningError('safetensors-tensor-invalid', `tensor ${JSON.stringify(name)} ${what}`)
}
