import { chmodSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseDatasetConfig } from '../../nodes/holder/dataset-config.ts'
import { suspectUnits } from '../../nodes/holder/record-extraction.ts'
import { type FeatureSchema, parseFeatureSchema } from '../../src/learning/feature-schema.ts'
import {
  csv,
  HEADER,
  open,
  refusal,
  SECRET,
  SOUND_LINES,
  schema,
  temporaryDirectory,
  writeParquet,
} from './dataset-fixtures.ts'

const directory = temporaryDirectory()

function openFile(name: string, content: string | Uint8Array) {
  return open({ name: 'heart', path: directory.write(name, content) }, directory.path())
}

describe('a file that cannot be a dataset', () => {
  it('is named when it does not exist', async () => {
    const refused = await refusal(() => open({ name: 'heart', path: 'nowhere.csv' }, directory.path()))
    expect(refused).toEqual({ code: 'file-not-found', message: expect.stringContaining(directory.path('nowhere.csv')) })
  })

  it('is refused when it is a directory', async () => {
    expect((await refusal(() => open({ name: 'heart', path: '.' }, directory.path()))).code).toBe('file-not-readable')
  })

  it.skipIf(process.getuid?.() === 0)(
    'is refused when this process may not read it (needs a user who is not root)',
    async () => {
      chmodSync(directory.path(directory.write('locked.csv', csv())), 0)
      const refused = await refusal(() => open({ name: 'heart', path: 'locked.csv' }, directory.path()))
      expect(refused.code).toBe('file-not-readable')
    },
  )

  it('is refused when nothing tells its format', async () => {
    const refused = await refusal(() => openFile('data.xlsx', csv()))
    expect(refused).toEqual({ code: 'file-format-unknown', message: expect.stringContaining('format: csv') })
  })

  const broken: [string, string | Uint8Array, string, RegExp][] = [
    ['a quote that is not closed', csv([...SOUND_LINES, `50,200,"${SECRET},TRUE,1`]), 'csv-malformed', /quotes/],
    ['text after a closing quote', csv([`50,200,"a"${SECRET},TRUE,1`]), 'csv-malformed', /quotes/],
    ['a line with a field too many', csv([...SOUND_LINES, `50,200,${SECRET},TRUE,1,9`]), 'csv-malformed', /fields/],
    ['a line with a field too few', csv([...SOUND_LINES, `50,${SECRET}`]), 'csv-malformed', /fields/],
    ['another encoding', Buffer.from(csv([`50,200,${SECRET}é,TRUE,1`]), 'latin1'), 'csv-malformed', /UTF-8/],
    ['binary content', Uint8Array.from({ length: 5000 }, (_, i) => (i * i * 31) % 256), 'csv-malformed', /UTF-8/],
    ['another delimiter', csv().replaceAll(',', ';'), 'csv-malformed', /set delimiter: ";"/],
    ['records in its first line', SOUND_LINES.join('\n'), 'csv-without-header', /3 of the 5 column names/],
    ['nothing in it', '', 'dataset-empty', /empty/],
    ['a header and nothing else', csv([]), 'dataset-empty', /no records/],
  ]
  it.each(broken)('is refused with %s, and no value of it is told', async (what, content, code, message) => {
    const refused = await refusal(() => openFile(`${what.replaceAll(' ', '-')}.csv`, content))
    expect(refused).toEqual({ code, message: expect.stringMatching(message) })
  })

  it('is refused with the number of a broken line far down', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => SOUND_LINES[i % 12])
    lines[15_000] = `50,200,${SECRET},TRUE,1,9`
    const refused = await refusal(() => openFile('long.csv', csv(lines)))
    expect(refused).toEqual({ code: 'csv-malformed', message: expect.stringContaining('(line 15002)') })
    expect(refused.message).toContain('expected 5 fields and found 6')
  })

  it('is refused as Parquet when it is something else', async () => {
    const refused = await refusal(() => openFile('text.parquet', `PAR1${SECRET}${csv()}`))
    expect(refused.code).toBe('parquet-malformed')
  })

  it.each([
    [{ name: 'Heart', path: 'x.csv' }, /name/],
    [{ name: 'heart' }, /path/],
    [{ name: 'heart', path: 'x.csv', delimiter: ';;' }, /delimiter/],
    [{ name: 'heart', sql: 'SELECT 1', tables: { 'a b': 'x.csv' } }, /tables/],
    [{ name: 'heart', path: 'x.csv', columns: 3 }, /columns/],
  ])('is refused when the configuration is wrong: %o', (config, message) => {
    expect(() => parseDatasetConfig(config)).toThrow(
      expect.objectContaining({ code: 'dataset-config-invalid', message: expect.stringMatching(message) }),
    )
  })
})

describe('a dataset that does not fit the job', () => {
  async function readAs(name: string, content: string, otherSchema: FeatureSchema = schema) {
    using dataset = await openFile(name, content)
    return await dataset.readRecords(otherSchema)
  }

  it('is refused with the missing column, the nearest name and the columns that exist', async () => {
    const refused = await refusal(() => readAs('renamed.csv', csv(SOUND_LINES, 'age,cholest,sex,fbs,num')))
    expect(refused.code).toBe('column-missing')
    expect(refused.message).toContain('no column chol (did you mean cholest?)')
    expect(refused.message).toContain('age, cholest, sex, fbs, num')
  })

  it('is not described by a first line that holds no column of the job: it may be a record', async () => {
    const refused = await refusal(() => readAs('headless.csv', csv(SOUND_LINES, `a,b,${SECRET},d,e`)))
    expect(refused).toEqual({ code: 'column-missing', message: expect.stringContaining('none of the 5 columns') })
  })

  it('is found whatever the letters of its column names', async () => {
    const { table } = await readAs('letters.csv', csv(SOUND_LINES, HEADER.toUpperCase()))
    expect(table.exampleCount).toBe(12)
  })

  const misfits: [string, string, RegExp][] = [
    ['text in a numeric column', `${SECRET},200,Male,TRUE,1`, /column age .* numbers, but 2 records/],
    ['text in a boolean column', `50,200,Male,${SECRET},1`, /column fbs .* true or false .* 2 records/],
    ['a number other than 0 and 1 in a boolean column', '50,200,Male,2,1', /column fbs .* 2 records/],
    ['text in the label', `50,200,Male,TRUE,${SECRET}`, /column num .* label, but 2 records/],
  ]
  it.each(misfits)('is refused with %s and how many records, never which value', async (what, line, message) => {
    const isNumericBoolean = line.includes(',2,')
    const sound = isNumericBoolean ? SOUND_LINES.map((l) => l.replace('TRUE', '1').replace('FALSE', '0')) : SOUND_LINES
    const refused = await refusal(() => readAs(`${what.replaceAll(' ', '-')}.csv`, csv([...sound, line, line])))
    expect(refused).toEqual({ code: 'column-type-mismatch', message: expect.stringMatching(message) })
  })

  it('is refused with a column of dates or lists where a number belongs', async () => {
    for (const [name, expression] of [
      ['dates', `DATE '2020-01-01'`],
      ['lists', '[1, 2]'],
    ]) {
      await writeParquet(
        directory.path(`${name}.parquet`),
        `SELECT ${expression} AS age, 200 AS chol, 'Male' AS sex, true AS fbs, 1 AS num FROM range(12)`,
      )
      using dataset = await open({ name: 'heart', path: `${name}.parquet` }, directory.path())
      const refused = await refusal(() => dataset.readRecords(schema))
      expect(refused).toEqual({ code: 'column-type-mismatch', message: expect.stringContaining('12 records') })
    }
  })

  it('is read in another unit, clipped, and the operator is told: a refusal would answer where the median lies', async () => {
    const lines = SOUND_LINES.map((line) => line.replace(/,2\d\d,/, ',5.2,'))
    const { features } = await readAs('unit.csv', csv(lines))
    expect(suspectUnits(features).map(({ name }) => name)).toEqual(['cholesterol'])
    const sound = await readAs('sound-unit.csv', csv(SOUND_LINES))
    expect(suspectUnits(sound.features)).toEqual([])
  })

  it('is refused with fewer than ten labelled records', async () => {
    const lines = SOUND_LINES.map((line, i) => (i < 9 ? line : line.replace(/\d$/, '')))
    const refused = await refusal(() => readAs('few.csv', csv(lines)))
    expect(refused).toEqual({ code: 'records-too-few', message: expect.stringContaining('9 records with a label') })
  })
})

describe('what a holder learns about its own records', () => {
  it('counts missing, unknown and out-of-bounds values, and leaves unlabelled records out', async () => {
    const lines = [
      ...SOUND_LINES,
      ',0,Other,,1',
      'NA,?,,NULL,0',
      '17,9000,Male,TRUE,1',
      '120,nan,Diverse,FALSE,1',
      '50,200,Other,TRUE,',
    ]
    using dataset = await openFile('gaps.csv', csv(lines))
    const { table, unlabelledCount, features } = await dataset.readRecords(schema)
    expect(dataset.recordCount).toBe(17)
    expect(table.exampleCount).toBe(16)
    expect(unlabelledCount).toBe(1)
    expect(features).toEqual([
      { name: 'age', presentCount: 14, missingCount: 2, unknownValueCount: 0, outOfBoundsCount: 2 },
      { name: 'cholesterol', presentCount: 13, missingCount: 3, unknownValueCount: 0, outOfBoundsCount: 1 },
      { name: 'sex', presentCount: 13, missingCount: 3, unknownValueCount: 2, outOfBoundsCount: 0 },
      { name: 'sugar', presentCount: 14, missingCount: 2, unknownValueCount: 0, outOfBoundsCount: 0 },
    ])
    expect(table.columns.map(({ values }) => [...values.slice(12)])).toEqual([
      [Number.NaN, Number.NaN, 17, 120],
      [Number.NaN, Number.NaN, 9000, Number.NaN],
      [-1, -1, 1, -1],
      [-1, -1, 1, 0],
    ])
  })

  it('takes infinity and NaN of a float column for missing', async () => {
    await writeParquet(
      directory.path('floats.parquet'),
      `SELECT CASE WHEN i = 0 THEN 'inf'::DOUBLE WHEN i = 1 THEN 'nan'::DOUBLE ELSE 50 END AS age, 200 AS chol,
       'Male' AS sex, true AS fbs, 1 AS num FROM range(12) t(i)`,
    )
    using dataset = await open({ name: 'heart', path: 'floats.parquet' }, directory.path())
    const { table } = await dataset.readRecords(schema)
    expect([...table.columns[0].values.slice(0, 3)]).toEqual([Number.NaN, Number.NaN, 50])
  })

  it.each([
    [{ greaterThan: 1 }, [0, 0, 1, 1]],
    [{ atLeast: 1 }, [0, 1, 1, 1]],
    [{ equals: 2 }, [0, 0, 1, 0]],
    [{ equals: '2' }, [0, 0, 1, 0]],
    [{ oneOf: [0, '3', 'none'] }, [1, 0, 0, 1]],
    [{ equals: 'none' }, [0, 0, 0, 0]],
  ])('reads the label by the rule %o', async (positiveWhen, expected) => {
    using dataset = await openFile('labels.csv', csv())
    const { table } = await dataset.readRecords(
      parseFeatureSchema({ ...schema, label: { ...schema.label, positiveWhen } }),
    )
    expect([...table.labels.slice(0, 4)]).toEqual(expected)
  })

  it('compares categories as the column’s own type', async () => {
    await writeParquet(
      directory.path('codes.parquet'),
      `SELECT (i % 3)::DOUBLE AS stage, i % 2 = 0 AS treated, ' mild ' AS pain, 1 AS num FROM range(12) t(i)`,
    )
    using dataset = await open({ name: 'codes', path: 'codes.parquet' }, directory.path())
    const category = (column: string, values: string[]) => ({ kind: 'categorical', name: column, column, values })
    const { table } = await dataset.readRecords(
      parseFeatureSchema({
        features: [
          category('stage', ['2', '1']),
          category('treated', ['TRUE', 'FALSE']),
          category('pain', ['none', 'mild']),
        ],
        label: schema.label,
      }),
    )
    expect(table.columns.map(({ values }) => [...values.slice(0, 3)])).toEqual([
      [-1, 1, 0],
      [0, 1, 0],
      [1, 1, 1],
    ])
  })
})
