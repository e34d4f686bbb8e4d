/**
 * What a holder makes of a dataset for one job: its records split once, its statistics for the protected sum, and its
 * examples for the trainer.
 */

import type { FeatureSchema } from '../../src/learning/feature-schema.ts'
import type { FederatedStatistics } from '../../src/learning/federated-statistics.ts'
import { type HoldoutSplit, holdoutSplit } from '../../src/learning/holdout-split.ts'
import { encodeExamples } from '../../src/learning/preprocessing.ts'
import { type StatisticsSegmentName, statisticsVector } from '../../src/learning/statistics.ts'
import type { Examples } from '../../src/learning/trainer.ts'
import type { Dataset } from './datasets.ts'
import type { ExtractedRecords } from './record-extraction.ts'

/** A holder's records of one job. Plaintext: stays in the holder process. */
export type JobRecords = ExtractedRecords & {
  readonly schema: FeatureSchema
  readonly split: HoldoutSplit
}

/**
 * Reads and splits the records of a job. The same dataset, schema and seed give the same split in every step and every
 * round, also after a restart.
 *
 * @param splitSeed 32 bytes, public, fixed by the job
 * @throws DatasetError as Dataset.readRecords; LearningError `seed-length-mismatch`, `split-fraction-invalid`
 */
export async function loadJobRecords(
  dataset: Dataset,
  schema: FeatureSchema,
  { splitSeed, holdoutFraction }: { readonly splitSeed: Uint8Array; readonly holdoutFraction?: number },
): Promise<JobRecords> {
  const records = await dataset.readRecords(schema)
  const split = holdoutSplit({ labels: records.table.labels, seed: splitSeed, holdoutFraction })
  return { ...records, schema, split }
}

/**
 * This holder's part of the statistics step, by segment. Plaintext: protect it before it leaves the process.
 *
 * @throws LearningError `examples-too-many`
 */
export function jobStatistics(records: JobRecords, maxExamples: number): Map<StatisticsSegmentName, Float64Array> {
  return statisticsVector(records.table, records.schema, { split: records.split, maxExamples })
}

/** Both parts of the split, encoded. Plaintext. Keep the object: trainers recognise `Examples` by identity. */
export type PreparedExamples = { readonly training: Examples; readonly holdout: Examples }

/** Encodes both parts with the federated statistics of the job. `holdout` may be empty for very few records. */
export function prepareExamples(records: JobRecords, statistics: FederatedStatistics): PreparedExamples {
  const encode = (part: Uint32Array) => encodeExamples(records.table, part, records.schema, statistics)
  return { training: encode(records.split.training), holdout: encode(records.split.holdout) }
}
