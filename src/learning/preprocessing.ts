/**
 * From a holder's records to the numbers a model reads, with the federated statistics: every holder encodes alike.
 *
 * - numeric: clipped to the public bounds, (x − mean) / deviation; missing becomes the mean, that is 0. A feature
 *   without spread (or that nobody has) is 0 everywhere.
 * - boolean: 1 or 0; missing becomes the share of true.
 * - categorical: one-hot; missing or unknown is the all-zero row, which a model with a bias reads as a category of its
 *   own, so that "not recorded" is never mistaken for the most frequent answer.
 * - a missing indicator, where the schema asks for one: 1 where the value is missing, else 0.
 */
import { type Feature, type FeatureColumn, type FeatureSchema, inputWidth, type RecordTable } from './feature-schema.ts'
import type {
  BooleanStatistics,
  FeatureStatistics,
  FederatedStatistics,
  NumericStatistics,
} from './federated-statistics.ts'
import type { Examples } from './trainer.ts'

/**
 * Encodes records of a table, in the given order.
 *
 * @param records indices into the table, such as a part of a holdout split
 * @param statistics belong to `schema` (federatedStatistics and parseFederatedStatistics see to it)
 * @returns row-major float32, `records.length` × `inputWidth(schema)`, all finite. Plaintext records: never leave the
 *   holder node.
 */
export function encodeExamples(
  table: RecordTable,
  records: Uint32Array,
  schema: FeatureSchema,
  statistics: FederatedStatistics,
): Examples {
  const width = inputWidth(schema)
  const features = new Float32Array(records.length * width)
  let at = 0
  for (const [i, feature] of schema.features.entries()) {
    const encode = featureEncoder(feature, statistics.features[i])
    writeColumn(features.subarray(at), width, table.columns[i], records, encode)
    at += encode.width
  }
  return {
    features,
    labels: Float32Array.from(records, (record) => table.labels[record]),
    exampleCount: records.length,
  }
}

type FeatureEncoder = {
  readonly width: number
  /** Writes the inputs of one value from `at` on; `target` is all zero there. */
  readonly write: (target: Float32Array, at: number, value: number) => void
}

function writeColumn(
  target: Float32Array,
  rowLength: number,
  { values }: FeatureColumn,
  records: Uint32Array,
  encode: FeatureEncoder,
): void {
  for (let row = 0; row < records.length; row++) encode.write(target, row * rowLength, values[records[row]])
}

function featureEncoder(feature: Feature, statistics: FeatureStatistics): FeatureEncoder {
  const own = ownEncoder(feature, statistics)
  if (!feature.missingIndicator) return own
  const isMissing = feature.kind === 'numeric' ? Number.isNaN : (value: number) => value < 0
  return {
    width: own.width + 1,
    write: (target, at, value) => {
      own.write(target, at, value)
      if (isMissing(value)) target[at + own.width] = 1
    },
  }
}

function ownEncoder(feature: Feature, statistics: FeatureStatistics): FeatureEncoder {
  switch (feature.kind) {
    case 'numeric': {
      const { low, high } = feature
      const { mean, standardDeviation } = statistics as NumericStatistics
      const scale = standardDeviation === 0 ? 0 : 1 / standardDeviation
      return {
        width: 1,
        write: (target, at, value) => {
          if (!Number.isNaN(value)) target[at] = (Math.min(high, Math.max(low, value)) - mean) * scale
        },
      }
    }
    case 'boolean': {
      const { frequency } = statistics as BooleanStatistics
      return {
        width: 1,
        write: (target, at, value) => {
          target[at] = value < 0 ? frequency : value
        },
      }
    }
    case 'categorical':
      return {
        width: feature.values.length,
        write: (target, at, value) => {
          if (value >= 0) target[at + value] = 1
        },
      }
  }
}
