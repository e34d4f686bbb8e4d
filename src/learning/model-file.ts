import { LearningError } from './learning-error.ts'
import { canonicalModelJson, type Model, parseModel, weightCount, weightShapes } from './model.ts'
import { sizeOf } from './model-shapes.ts'
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from './safetensors.ts'
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
  checkWeights(model, weights)
  let offset = 0
  const tensors = weightShapes(model).map(({ name, shape }): NamedTensor => {
    const values = weights.subarray(offset, offset + sizeOf(shape))
    offset += values.length
    return { name, shape, values }
  })
  return encodeSafetensors({ tensors, metadata: { ...metadata, [DESCRIPTION]: canonicalModelJson(model) } })
}

/**
 * Reads what `encodeModelFile` wrote, or a rewrite of it by another tool: the order of the tensors does not matter.
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
  const weights = new Float32Array(weightCount(model))
  let offset = 0
  for (const { name, shape } of shapes) {
    const tensor = tensors.find((candidate) => candidate.name === name)
    if (tensor?.shape.join() !== shape.join()) throw misfit(`has no tensor ${name} of shape [${shape.join(', ')}]`)
    weights.set(tensor.values, offset)
    offset += tensor.values.length
  }
  checkWeights(model, weights)
  return { model, weights, metadata: others }
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
