import fc from 'fast-check'
import { parseFederatedStatistics } from '../../../src/learning/federated-statistics.ts'
import { modelOfJob, parseJobSpecification } from '../../../src/learning/job-specification.ts'
import { canonicalModelJson, parseModel, weightCount } from '../../../src/learning/model.ts'
import { decodeModelFile, encodeModelFile } from '../../../src/learning/model-file.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../src/learning/safetensors.ts'
import { refused } from '../../../src/sluice-error.ts'
import { type FuzzTarget, target } from '../fuzz-target.ts'
import { FUZZ_JOB } from './fuzz-job.ts'

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'))
const model = modelOfJob(FUZZ_JOB)
const weights = new Float32Array(weightCount(model)).map((_, i) => Math.fround(i / 7))

/** Job specifications, models, model files, statistics. */
export function learningTargets(): FuzzTarget[] {
  return [...fileTargets(), ...descriptionTargets()]
}

function fileTargets(): FuzzTarget[] {
  const file = encodeModelFile(model, weights, { job: 'é' })
  const tensors = [
    { name: 'a', shape: [2, 3], values: new Float32Array(6).fill(0.5) },
    { name: '', shape: [], values: new Float32Array(1) },
    { name: 'empty', shape: [0, 7], values: new Float32Array(0) },
  ]
  // Without data behind it the header is a whole JSON text, which the JSON tricks can take apart.
  const bare = encodeSafetensors({ tensors: [tensors[2]], metadata: { note: 'x' } })
  return [
    target({
      name: 'learning: safetensors',
      corpus: [file, encodeSafetensors({ tensors, metadata: {} }), bare],
      decode: decodeSafetensors,
      encode: encodeSafetensors,
      roundTrip: 'value',
      structured: safetensorsFiles(),
    }),
    target({
      name: 'learning: model file',
      corpus: [file],
      decode: decodeModelFile,
      encode: ({ model: read, weights: values, metadata }) => encodeModelFile(read, values, metadata),
      roundTrip: 'value',
    }),
  ]
}

/** Files whose length field fits their header, and whose tensors are of any shape and place. */
function safetensorsFiles(): fc.Arbitrary<Uint8Array> {
  const size = fc.oneof(fc.nat(64), fc.constantFrom(2 ** 31, 2 ** 53 - 1, 2 ** 53, -1, 0.5))
  const tensor = fc.record({
    dtype: fc.constantFrom('F32', 'F32', 'F32', 'F64', ''),
    shape: fc.array(size, { maxLength: 17 }),
    data_offsets: fc.oneof(fc.tuple(size, size), fc.array(size)),
  })
  const header = fc.dictionary(fc.string(), fc.oneof(tensor, fc.jsonValue()), { maxKeys: 5 })
  return fc.tuple(header, fc.nat(64), fc.integer({ min: -1, max: 1 })).map(([value, dataBytes, off]) => {
    const text = Buffer.from(JSON.stringify(value))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(Math.max(0, text.length + (off === 0 ? 0 : off))))
    return new Uint8Array(Buffer.concat([length, text, Buffer.alloc(dataBytes)]))
  })
}

function descriptionTargets(): FuzzTarget[] {
  const statistics = {
    exampleCount: 100,
    positiveCount: 40,
    trainingExampleCount: 80,
    features: [
      {
        kind: 'numeric',
        name: 'age',
        missingCount: 1,
        presentCount: 79,
        mean: 50,
        variance: 100,
        standardDeviation: 10,
      },
      { kind: 'categorical', name: 'pain', missingCount: 0, presentCount: 80, frequencies: [0.5, 0.25, 0.25] },
      { kind: 'boolean', name: 'male', missingCount: 0, presentCount: 80, frequency: 0.5 },
    ],
  }
  const convolution = {
    format: 'sluice.model/1',
    inputShape: [8, 8, 1],
    layers: [
      { type: 'conv2d', filters: 2, kernelSize: [3, 3], strides: [1, 1], padding: 'same', activation: 'relu' },
      { type: 'maxPooling2d', poolSize: [2, 2], strides: [2, 2] },
      { type: 'flatten' },
      { type: 'dropout', rate: 0.5 },
      { type: 'dense', units: 3 },
    ],
    output: 'multiclass',
  }
  return [
    jsonTarget(
      'learning: job specification',
      [FUZZ_JOB, { ...FUZZ_JOB, model }],
      (value) => {
        const job = parseJobSpecification(value)
        modelOfJob(job)
        return job
      },
      JSON.stringify,
    ),
    jsonTarget('learning: model', [model, convolution], parseModel, canonicalModelJson),
    jsonTarget(
      'learning: statistics',
      [statistics],
      (value) => parseFederatedStatistics(value, FUZZ_JOB.features),
      JSON.stringify,
    ),
  ]
}

/** A reader of values: what is not JSON at all is for whoever has the bytes to refuse. */
function jsonTarget<T>(
  name: string,
  examples: readonly unknown[],
  decode: (value: unknown) => T,
  encode: (value: T) => string,
): FuzzTarget {
  return target({
    name,
    corpus: examples.map((example) => bytesOf(JSON.stringify(example))),
    decode: (bytes) => {
      const value = parseJson(bytes)
      return value === undefined ? refused('not-json', 'not JSON') : decode(value)
    },
    encode: (value) => bytesOf(encode(value as T)),
    roundTrip: 'value',
    structured: fc.json().map(bytesOf),
  })
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}
