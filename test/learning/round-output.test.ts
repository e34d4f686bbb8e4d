/** What a training step makes of sums that come in stretches (docs/adr/0016). */
import { describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { parseJobSpecification } from '../../src/learning/job-specification.ts'
import { decodeModelFile } from '../../src/learning/model-file.ts'
import { initialModel, outputNameReading, outputReading } from '../../src/learning/round-output.ts'
import type { SumReading } from '../../src/protocol/sum-reading.ts'

const job = 'a'.repeat(64)
const specification = parseJobSpecification(heartJob('mlp', 'ab'.repeat(32)))
const first = Buffer.concat(initialModel(job, specification))
const { weights } = decodeModelFile(first)
const EXAMPLES = 512
const updates = Float64Array.from(weights, (_, i) => Math.sin(i) / 3)

function smallSums(exampleCount = EXAMPLES) {
  const bins = specification.evaluation.bins
  return new Map([
    ['training-examples', Float64Array.of(exampleCount)],
    ['holdout-loss', Float64Array.of(10)],
    ['holdout-positives', new Float64Array(bins).fill(1)],
    ['holdout-negatives', new Float64Array(bins).fill(2)],
  ])
}

/** Reads all updates in stretches of this length. @param file the loaded model's bytes */
async function read<Made>(
  reading: SumReading<Made>,
  stretch: number,
  values: Float64Array = updates,
  sums = smallSums(),
) {
  const reader = await reading.begin(sums, 3)
  for (let at = 0; at < values.length; at += stretch) reader.take(values.slice(at, at + stretch))
  return reader.end('')
}

const subjectOf = (file: Uint8Array) => ({ job, specification, step: 'training' as const, loadModel: async () => file })

describe('the output of a training step', () => {
  it('is the weights plus the mean update, whatever the stretches, and a version on', async () => {
    const scale = specification.training.maxExamples / EXAMPLES
    const expected = Float32Array.from(weights, (weight, i) => weight + updates[i] * scale)
    for (const stretch of [1, 7, weights.length]) {
      const output = await read(outputReading(subjectOf(Buffer.from(first))), stretch)
      expect(output).toMatchObject({ name: 'model', version: 1, evaluation: { meanLoss: expect.any(Number) } })
      const next = decodeModelFile(Buffer.concat(output.pieces))
      expect(next.weights).toEqual(expected)
      expect(next.metadata).toEqual({ job, version: '1' })
    }
  })

  it('is the loaded model, changed in place: no other copy of it is made', async () => {
    const file = new Uint8Array(first)
    const { pieces } = await read(outputReading(subjectOf(file)), 100)
    expect(pieces.slice(1).every(({ buffer }) => buffer === file.buffer)).toBe(true)
    expect(pieces[0].buffer).not.toBe(file.buffer)
  })

  it('has the digest that a verifying holder makes, which leaves its model as it was', async () => {
    const { pieces } = await read(outputReading(subjectOf(Buffer.from(first))), 100)
    const file = new Uint8Array(first)
    const { digest, name, version } = await read(outputNameReading(subjectOf(file)), 33)
    expect({ name, version }).toEqual({ name: 'model', version: 1 })
    expect(digest).toBe(digestOf(...pieces))
    expect(Buffer.from(file).equals(first)).toBe(true)
  })

  it('is refused when a weight is no finite number, in either reading', async () => {
    const broken = updates.slice()
    broken[200] = Number.MAX_VALUE
    for (const make of [outputReading, outputNameReading]) {
      const attempt = read<unknown>(make(subjectOf(Buffer.from(first))), 64, broken)
      await expect(attempt).rejects.toMatchObject({ code: 'weights-not-finite' })
    }
  })

  it('needs an example, and says so before a model is loaded', async () => {
    let loaded = 0
    const loadModel = async () => {
      loaded++
      return first
    }
    const reading = outputReading({ ...subjectOf(first), loadModel })
    await expect(reading.begin(smallSums(0), 3)).rejects.toMatchObject({ code: 'training-empty' })
    expect(loaded).toBe(0)
  })
})
