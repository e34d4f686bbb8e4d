import { firstNotFinite } from './finite.ts'
import { LearningError, type LearningErrorCode } from './learning-error.ts'
import { type Model, scoresPerExample, weightCount } from './model.ts'
import { sizeOf } from './model-shapes.ts'
import { checkSeed } from './seeded-stream.ts'
import type { EvaluateRequest, Examples, TrainOptions, TrainRequest } from './trainer.ts'

/**
 * What every trainer refuses before it starts: see the codes on `Trainer`. Costs one pass over the examples.
 * @throws LearningError `weights-*`, `examples-*`, `label-out-of-range`, `options-invalid`, `seed-length-mismatch`
 */
export function checkTrainRequest({ model, weights, examples, options }: TrainRequest): void {
  checkWeights(model, weights)
  checkExamples(model, examples)
  checkTrainOptions(options)
}

/** As `checkTrainRequest`, without options. */
export function checkEvaluateRequest({ model, weights, examples }: EvaluateRequest): void {
  checkWeights(model, weights)
  checkExamples(model, examples)
}

/** @throws LearningError `weights-length-mismatch`, `weights-not-finite` */
export function checkWeights(model: Model, weights: Float32Array): void {
  const count = weightCount(model)
  if (weights.length !== count) {
    refuse('weights-length-mismatch', `the model has ${count} weights, the vector ${weights.length}: send its own`)
  }
  const bad = firstNotFinite(weights)
  if (bad >= 0) refuse('weights-not-finite', `weight ${bad} is not finite: start again from an earlier model version`)
}

/** @throws LearningError `examples-empty`, `examples-length-mismatch`, `examples-not-finite`, `label-out-of-range` */
export function checkExamples(model: Model, { features, labels, exampleCount }: Examples): void {
  const perExample = sizeOf(model.inputShape)
  if (!Number.isSafeInteger(exampleCount) || exampleCount < 1) {
    refuse('examples-empty', 'give at least one example: the dataset query returned none')
  }
  if (features.length !== exampleCount * perExample || labels.length !== exampleCount) {
    refuse(
      'examples-length-mismatch',
      `${exampleCount} examples of ${perExample} features need ${exampleCount * perExample} features and ` +
        `${exampleCount} labels, not ${features.length} and ${labels.length}`,
    )
  }
  const bad = firstNotFinite(features)
  if (bad >= 0) {
    refuse(
      'examples-not-finite',
      `feature ${bad % perExample} of example ${Math.floor(bad / perExample)} is not finite: impute missing values first`,
    )
  }
  const classes = model.output === 'binary' ? 2 : scoresPerExample(model)
  const wrong = labels.findIndex((label) => !Number.isInteger(label) || label < 0 || label >= classes)
  if (wrong >= 0)
    refuse('label-out-of-range', `the label of example ${wrong} must be an integer from 0 to ${classes - 1}`)
}

/** @throws LearningError `options-invalid`, `seed-length-mismatch` */
export function checkTrainOptions(options: TrainOptions): void {
  const { epochs, batchSize, learningRate, momentum = 0, l2 = 0 } = options
  const must = (holds: boolean, what: string): void => {
    if (!holds) refuse('options-invalid', what)
  }
  must(Number.isInteger(epochs) && epochs >= 1 && epochs <= 10_000, 'epochs must be an integer from 1 to 10,000')
  must(Number.isSafeInteger(batchSize) && batchSize >= 1, 'batchSize must be a positive integer')
  must(Number.isFinite(learningRate) && learningRate > 0, 'learningRate must be positive')
  must(momentum >= 0 && momentum < 1, 'momentum must be in [0, 1)')
  must(Number.isFinite(l2) && l2 >= 0, 'l2 must be finite and not negative')
  checkSeed(options.shuffleSeed)
}

function refuse(code: LearningErrorCode, message: string): never {
  throw new LearningError(code, message)
}
