import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { heartFeatures } from '../../nodes/examples/heart/features.ts'
import { heartDirectory, heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJobs } from '../../nodes/examples/heart/jobs.ts'
import { loadHospitalRecords } from '../../nodes/examples/heart/reference.ts'
import { parseDatasetConfig } from '../../nodes/holder/dataset-config.ts'
import { openDataset } from '../../nodes/holder/datasets.ts'
import { loadJobRecords } from '../../nodes/holder/prepared-examples.ts'
import { inputWidth } from '../../src/learning/feature-schema.ts'
import { modelOfJob, parseJobSpecification } from '../../src/learning/job-specification.ts'

/** The source's own columns: what every file must have. */
const HEADER = 'id,age,sex,dataset,cp,trestbps,chol,fbs,restecg,thalch,exang,oldpeak,slope,ca,thal,num'

function linesOf(path: string): string[][] {
  const [header, ...lines] = readFileSync(join(heartDirectory, path), 'utf8').trimEnd().split('\n')
  expect(header).toBe(HEADER)
  return lines.map((line) => line.split(','))
}

describe('the heart files', () => {
  const files = heartHospitals.map(({ path }) => linesOf(path))

  it('are the 920 records of the source, each once', () => {
    expect(files.map((lines) => lines.length)).toEqual([304, 293, 200, 123])
    const ids = files.flat().map(([id]) => Number(id))
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 920 }, (_, i) => i + 1))
  })

  it('hold one hospital each', () => {
    const hospitals = files.map((lines) => [...new Set(lines.map((fields) => fields[3]))])
    expect(hospitals).toEqual([['Cleveland'], ['Hungary'], ['VA Long Beach'], ['Switzerland']])
  })

  it('have the sums of the source, column by column', () => {
    const sum = (lines: string[][], column: string) =>
      lines.reduce((total, fields) => total + Number(fields[HEADER.split(',').indexOf(column)]), 0)
    // Taken from the source file by another tool.
    expect(files.map((lines) => sum(lines, 'age'))).toEqual([16523, 14033, 11870, 6804])
    expect(files.map((lines) => sum(lines, 'chol'))).toEqual([74880, 67848, 34498, 0])
    expect(files.map((lines) => sum(lines, 'thalch'))).toEqual([45516, 40580, 18051, 14830])
    expect(files.map((lines) => sum(lines, 'oldpeak').toFixed(1))).toEqual(['315.0', '172.3', '190.2', '76.5'])
    expect(files.map((lines) => sum(lines, 'num'))).toEqual([284, 106, 304, 222])
  })

  it('are read completely by the feature schema, with the gaps that the README tells', async () => {
    const gaps: Record<string, number[]> = {}
    for (const { path } of heartHospitals) {
      using dataset = await openDataset(parseDatasetConfig({ name: 'heart', path }), { baseDirectory: heartDirectory })
      const { features, unlabelledCount } = await dataset.readRecords(heartFeatures)
      expect(unlabelledCount).toBe(0)
      for (const feature of features) {
        expect([feature.unknownValueCount, feature.outOfBoundsCount]).toEqual([0, 0])
        gaps[feature.name] = [...(gaps[feature.name] ?? []), feature.missingCount]
      }
    }
    expect(gaps).toEqual({
      age: [0, 0, 0, 0],
      sex: [0, 0, 0, 0],
      'chest pain': [0, 0, 0, 0],
      'resting blood pressure': [0, 1, 57, 2],
      cholesterol: [0, 23, 56, 123],
      'fasting blood sugar above 120 mg/dl': [0, 8, 7, 75],
      'resting electrocardiogram': [0, 1, 0, 1],
      'maximum heart rate': [0, 1, 53, 1],
      'exercise-induced angina': [0, 1, 53, 1],
      'ST depression': [0, 0, 56, 6],
      'ST slope': [1, 189, 102, 17],
      'coloured vessels': [5, 290, 198, 118],
      'thallium scan': [3, 265, 166, 52],
    })
  })

  it('carry 139, 106, 149 and 115 patients with the disease', async () => {
    const records = await loadHospitalRecords(heartHospitals, heartDirectory, heartFeatures)
    expect(records.map(({ table }) => table.labels.reduce((sum, label) => sum + label, 0))).toEqual([
      139, 106, 149, 115,
    ])
  })

  it('are split the same way each time a holder opens them', async () => {
    const splitSeed = new Uint8Array(32).fill(3)
    const splits = []
    for (let i = 0; i < 2; i++) {
      using dataset = await openDataset(parseDatasetConfig({ name: 'heart', path: 'hungary.csv' }), {
        baseDirectory: heartDirectory,
      })
      splits.push((await loadJobRecords(dataset, heartFeatures, { splitSeed })).split)
    }
    expect(splits[0].holdout.length).toBe(58)
    expect(splits[1]).toEqual(splits[0])
  })
})

describe('the heart jobs', () => {
  it.each(Object.entries(heartJobs))('%s is a job that a coordinator takes', (_, { model, training }) => {
    const job = parseJobSpecification({
      format: 'sluice.job/1',
      name: 'heart disease',
      dataset: 'heart',
      features: heartFeatures,
      model,
      training,
      seed: '00'.repeat(32),
    })
    expect(modelOfJob(job).inputShape).toEqual([inputWidth(heartFeatures)])
    expect(job.training.rounds).toBeGreaterThanOrEqual(30)
  })
})
