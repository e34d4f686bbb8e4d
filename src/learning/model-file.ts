import { LearningError } from './learning-error.ts'
import { canonicalModelJson, type Model, parseModel, weightCount, weightShapes } from './model.ts'
import { sizeOf } from './model-shapes.ts'
import { decodeSafetensors, type NamedTensor, safetensorsPieces } from './safetensors.ts'
import { checkWeights } from './trainer-request.ts'

/** Metadata member that holds the model's description, so that one file is enough to use a model. */
const DESCRIPTION = 'sluice.model'

/**
 * A released model as one `model.safetensors`: one tensor per entry of `weightShapes(model)`, the canonical description
 * in the metadata.
 * @param weights the flat vector
 * @param metadata further texts (job, round, …); `sluice.model` is taken
 * @throws LearningError `weights-length-mismatch`, `weights-not-finite`
 */
export function encodeModelFile(
  model: Model,
  weights: Float32Array,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  return new Uint8Array(Buffer.concat(modelFilePieces(model, weights, metadata)))
}

/**
 * As {@link encodeModelFile}, in pieces that follow each other: the header, then views of the weights where the machine is
 * little-endian, so that a large model is not copied.
 */
export function modelFilePieces(
  model: Model,
  weights: Float32Array,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  checkWeights(model, weights)
  let offset = 0
  const tensors = weightShapes(model).map(({ name, shape }): NamedTensor => {
    const values = weights.subarray(offset, offset + sizeOf(shape))
    offset += values.length
    return { name, shape, values }
  })
  return safetensorsPieces({ tensors, metadata: { ...metadata, [DESCRIPTION]: canonicalModelJson(model) } })
}

/**
 * Reads what `encodeModelFile` wrote, or a rewrite of it by another tool: the order of the tensors does not matter. The weights
 * of a file in our own order are a view of it (see `decodeSafetensors`): whoever changes them changes the file's bytes.
 * @throws LearningError `safetensors-*`; `model-*` for the description in it; `weights-length-mismatch` when tensors do
 *   not fit the description; `weights-not-finite`
 */
export function decodeModelFile(file: Uint8Array): {
  readonly model: Model
  readonly weights: Float32Array
  readonly metadata: Readonly<Record<string, string>>
} {
  const { tensors, metadata } = decodeSafetensors(file)
  const { [DESCRIPTION]: description, ...others } = metadata
  const model = parseModel(parseDescription(description))
  const shapes = weightShapes(model)
  if (shapes.length !== tensors.length) throw misfit(`has ${tensors.length} tensors, its model ${shapes.length}`)
  const values = shapes.map(({ name, shape }) => {
    const tensor = tensors.find((candidate) => candidate.name === name)
    if (tensor?.shape.join() !== shape.join()) throw misfit(`has no tensor ${name} of shape [${shape.join(', ')}]`)
    return tensor.values
  })
  const weights = joined(values, weightCount(model))
  checkWeights(model, weights)
  return { model, weights, metadata: others }
}

/** All values, one behind the other: a view where they lie so already. */
function joined(parts: readonly Float32Array[], count: number): Float32Array {
  const [{ buffer, byteOffset }] = parts
  let end = byteOffset
  const areAdjacent = parts.every((part) => {
    const follows = part.buffer === buffer && part.byteOffset === end
    end += part.byteLength
    return follows
  })
  if (areAdjacent) return new Float32Array(buffer, byteOffset, count)
  const whole = new Float32Array(count)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

function parseDescription(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch (cause) {
    throw new LearningError('model-invalid', `the file's metadata has no model description under ${DESCRIPTION}`, {
      cause,
    })
  }
}

function misfit(what: string): LearningError {
  return new LearningError('weights-length-mismatch', `the model file ${what}: export it again`)
}
