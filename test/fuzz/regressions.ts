import { FEATURES_MAX } from '../../src/learning/feature-schema.ts'
import { FUZZ_JOB } from './targets/fuzz-job.ts'

/** An input that once broke a decoder, and must not again. */
export interface Regression {
  /** Name of the decoder in `allTargets`. */
  readonly target: string
  readonly what: string
  readonly input: Uint8Array
}

const text = (content: string): Uint8Array => new Uint8Array(Buffer.from(content, 'utf8'))

/** A safetensors header with the length that it has, and no data. */
function safetensors(header: unknown): Uint8Array {
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return new Uint8Array(Buffer.concat([length, json]))
}

const WRONG = { ...FUZZ_JOB.features.features[1], values: Array(100).fill(0) }

/** What the fuzz suite has found, as it was found or as the code that makes it; a finding is kept here when it is fixed. */
export const REGRESSIONS: readonly Regression[] = [
  {
    target: 'learning: statistics',
    what: 'the refusal had a line for every wrong element: 36 MB of text for 1 MB of statistics',
    input: text(`{"features":[${'0,'.repeat(50 * FEATURES_MAX)}0]}`),
  },
  {
    target: 'learning: statistics',
    what: 'the refusal quoted every name that the schema does not have',
    input: text(JSON.stringify(Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`unknown ${i}`, i])))),
  },
  {
    target: 'learning: job specification',
    what: 'the refusal quoted every name that the schema does not have',
    input: text(JSON.stringify(Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`unknown ${i}`, i])))),
  },
  {
    target: 'learning: safetensors',
    what: 'an issue for every metadata member that is no text: 15 MB for 110 kB of header',
    input: safetensors({ __metadata__: Object.fromEntries(Array.from({ length: 12_000 }, (_, i) => [i, 0])) }),
  },
  {
    target: 'learning: safetensors',
    what: 'the refusal quoted the name of a tensor, of any length',
    input: safetensors({ ['x'.repeat(100_000)]: {} }),
  },
  {
    target: 'learning: job specification',
    what: 'a kilobyte for every wrong holder: 49 MB for 131 kB',
    input: text(JSON.stringify({ ...FUZZ_JOB, holders: Array(65_000).fill(0) })),
  },
  {
    target: 'learning: job specification',
    what: 'and for every wrong value of every feature: 295 MB and 2.7 s for 1.1 MB',
    input: text(JSON.stringify({ ...FUZZ_JOB, features: { ...FUZZ_JOB.features, features: Array(4000).fill(WRONG) } })),
  },
  {
    target: 'wire: HolderMessage',
    what: 'a refusal without a reason was passed on without one',
    input: Uint8Array.of(0x12, 2, 0x32, 0),
  },
]
