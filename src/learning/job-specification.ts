import { z } from 'zod'
import { listField } from '../protocol/list-field.ts'
import { defineStatement, digestField, identityField, instantField } from '../protocol/statement.ts'
import { describeIssues } from './describe-issues.ts'
import { featureSchemaSchema, inputWidth } from './feature-schema.ts'
import { LearningError } from './learning-error.ts'
import { type ModelInput, modelSchema, parseModel } from './model.ts'
import { logistic, mlp } from './model-presets.ts'
import { strategyNames } from './strategies.ts'

/** A model in full, or a preset whose input width follows from the features. */
const modelChoiceSchema = z.union([
  modelSchema,
  z.strictObject({ preset: z.literal('logistic'), l2: z.number().min(0).default(0) }),
  z.strictObject({
    preset: z.literal('mlp'),
    hidden: z.array(z.int().min(1).max(4096)).min(1).max(8),
    l2: z.number().min(0).default(0),
  }),
])

const trainingSchema = z.strictObject({
  strategy: z.enum(strategyNames).default('fedavg'),
  /** Training rounds; one evaluation round follows. */
  rounds: z.int().min(1).max(100_000),
  /** Local passes over a holder's training part, per round. */
  epochs: z.int().min(1).max(1000).default(1),
  batchSize: z.int().min(1).max(65_536).default(32),
  learningRate: z.number().positive().max(100),
  /** Every coordinate of a local update is clipped to ±updateBound before it is quantised. In the unit of a weight. */
  updateBound: z.number().positive().max(1e6).default(0.5),
  /** The most labelled records that one holder brings; example counts are weighed relative to it. */
  maxExamples: z.int().min(1).max(65_535).default(4096),
})

const evaluationSchema = z.strictObject({
  /** Share of every holder's records that is never trained on. */
  holdoutFraction: z.number().gt(0).lt(1).default(0.2),
  /** Bins of the score histograms; even, so that the accuracy at 1/2 is exact. */
  bins: z.int().min(2).max(4096).multipleOf(2).default(128),
})

const protectionSchema = z.strictObject({
  /** Bits of one quantised value of the training vector. 16 at most 32 holders: 3.4 bytes a weight. */
  precisionBits: z.int().min(16).max(32).default(16),
  /** Bits of the statistics step, which runs once and wants exact moments. */
  statisticsPrecisionBits: z.int().min(16).max(32).default(32),
  /** No sum over fewer organisations is opened. */
  minContributors: z.int().min(2).default(3),
})

const collectionSchema = z.strictObject({
  /** Contributions that are enough to stop waiting for the rest; of at least `minContributors` organisations. */
  quorum: z.int().min(2).max(65_536),
  /** How long the rest are still waited for. 0 closes at once. */
  graceMs: z.int().min(0).max(86_400_000),
})

/** When a round stops waiting for holders that are slow (docs/adr/0015). */
export type CollectionRule = z.output<typeof collectionSchema>

/**
 * What a researcher asks for: a supervised model over a tabular dataset that every holder has under this name.
 * Public to everyone who takes part. The seed is public as well: it fixes the first weights and the held-out parts,
 * never a key or a noise.
 */
export const jobSpecificationSchema = z.strictObject({
  format: z.literal('sluice.job/1'),
  name: z
    .string()
    .regex(/^[\p{L}\p{N}][\p{L}\p{N} _.()-]{0,79}$/u, 'not a job name: letters, digits, " _.()-", at most 80'),
  /** What holders call the data. */
  dataset: identityField,
  features: featureSchemaSchema,
  model: modelChoiceSchema,
  training: trainingSchema,
  evaluation: evaluationSchema.prefault({}),
  protection: protectionSchema.prefault({}),
  /** Which holders take part; all admitted and connected ones unless told. */
  holders: listField(identityField, { min: 2, max: 65_536 }).optional(),
  /** Before whose jobs it goes in the venue's queue; `normal` unless told. */
  priority: z.enum(['low', 'normal', 'high']).optional(),
  /** How long one round collects before it closes with whom it has. */
  roundTimeoutMs: z.int().min(1000).max(86_400_000).default(60_000),
  /**
   * Lets a round close early. Without it, it waits for everybody until its time is over: always leaving out the slowest biases a
   * model towards the fast.
   */
  collection: collectionSchema.optional(),
  /** 32 bytes, hexadecimal. */
  seed: digestField,
})

export type JobSpecification = z.output<typeof jobSpecificationSchema>
export type JobSpecificationInput = z.input<typeof jobSpecificationSchema>

const jobSchema = z.strictObject({
  specification: jobSpecificationSchema,
  submittedBy: identityField,
  submittedAt: instantField,
  /** 32 random bytes: the same specification submitted twice is two jobs. */
  nonce: digestField,
})

/** A submitted job. */
export type Job = z.output<typeof jobSchema>

/** The job as a statement: signed by the coordinator that runs it; its digest names the job in every plan. */
export const jobStatement = defineStatement<Job>('job', jobSchema)

/**
 * Reads a job as a person wrote it: fills in the defaults, and checks that the model fits the features.
 * @throws LearningError `job-invalid` naming every wrong field, `model-*`
 */
export function parseJobSpecification(input: unknown): JobSpecification {
  const result = jobSpecificationSchema.safeParse(input)
  if (!result.success) {
    throw new LearningError('job-invalid', `correct the job and submit it again:\n${describeIssues(result.error)}`)
  }
  modelOfJob(result.data)
  requirePossibleQuorum(result.data)
  return result.data
}

/** A quorum that cannot be opened, or never comes, would be waited for in vain. */
function requirePossibleQuorum({ collection, protection, holders }: JobSpecification): void {
  if (!collection) return
  const { quorum } = collection
  if (quorum < protection.minContributors) {
    const reason = `collection.quorum is ${quorum}, and a sum needs protection.minContributors, ${protection.minContributors}: raise it`
    throw new LearningError('job-invalid', reason)
  }
  if (holders && quorum > holders.length) {
    throw new LearningError(
      'job-invalid',
      `collection.quorum is ${quorum}, and the job has ${holders.length} holders: lower it, or leave collection out`,
    )
  }
}

/**
 * The complete model of a job.
 * @throws LearningError `job-invalid` when the model reads another number of inputs than the features give; `model-*`
 */
export function modelOfJob(job: JobSpecification) {
  const inputs = inputWidth(job.features)
  const model = parseModel(describeModel(job.model, inputs))
  if (model.inputShape.length !== 1 || model.inputShape[0] !== inputs || model.output !== 'binary') {
    throw new LearningError(
      'job-invalid',
      `the features give ${inputs} numbers and one yes-or-no label; the model reads [${model.inputShape}] and is ${model.output}`,
    )
  }
  return model
}

function describeModel(choice: JobSpecification['model'], inputs: number): ModelInput {
  if (!('preset' in choice)) return choice
  return choice.preset === 'logistic' ? logistic(inputs, choice.l2) : mlp(inputs, choice.hidden, choice.l2)
}
