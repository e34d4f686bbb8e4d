import { readdirSync, symlinkSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Dataset } from '../../nodes/holder/datasets.ts'
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

async function valuesOf(dataset: Dataset): Promise<number[][]> {
  const { table } = await dataset.readRecords(schema)
  return [...table.columns.map(({ values }) => [...values]), [...table.labels]]
}

const SOUND_VALUES = [
  SOUND_LINES.map((_, i) => 40 + i),
  SOUND_LINES.map((_, i) => 200 + i),
  SOUND_LINES.map((_, i) => i % 2),
  SOUND_LINES.map((_, i) => (i % 3 ? 0 : 1)),
  SOUND_LINES.map((_, i) => (i % 4 ? 1 : 0)),
]

describe('a dataset of one file', () => {
  it('describes the columns of a CSV and reads its records in order', async () => {
    using dataset = await open({ name: 'heart', path: directory.write('sound.csv', csv()) }, directory.path())
    expect(dataset.recordCount).toBe(12)
    expect(dataset.columns).toEqual([
      { name: 'age', type: 'BIGINT' },
      { name: 'chol', type: 'BIGINT' },
      { name: 'sex', type: 'VARCHAR' },
      { name: 'fbs', type: 'BOOLEAN' },
      { name: 'num', type: 'BIGINT' },
    ])
    expect(await valuesOf(dataset)).toEqual(SOUND_VALUES)
    expect(await valuesOf(dataset)).toEqual(SOUND_VALUES)
  })

  it.each([
    ['with Windows line ends and a byte order mark', 'dos.csv', `\uFEFF${csv().replaceAll('\n', '\r\n')}`, {}],
    ['compressed by gzip', 'zipped.csv.gz', gzipSync(csv()), {}],
    ['separated by tabs', 'tabs.tsv', csv().replaceAll(',', '\t'), {}],
    ['separated by semicolons', 'semicolons.csv', csv().replaceAll(',', ';'), { delimiter: ';' }],
    ['with quoted fields', 'quoted.csv', csv().replaceAll('Male', '"Male"'), {}],
    ['under another extension', 'export.txt', csv(), { format: 'csv' as const }],
  ])('reads a CSV %s', async (_, name, content, options) => {
    using dataset = await open({ name: 'heart', path: directory.write(name, content), ...options }, directory.path())
    expect(await valuesOf(dataset)).toEqual(SOUND_VALUES)
  })

  it('reads decimal commas where the dataset says so', async () => {
    const content = csv()
      .replaceAll(',', ';')
      .replaceAll(/^(\d+);/gm, '$1,5;')
    const path = directory.write('commas.csv', content)
    using dataset = await open({ name: 'heart', path, delimiter: ';', decimalSeparator: ',' }, directory.path())
    expect((await valuesOf(dataset))[0]).toEqual(SOUND_VALUES[0].map((age) => age + 0.5))
  })

  it('reads a Parquet file, whatever its types', async () => {
    await writeParquet(
      directory.path('sound.parquet'),
      `SELECT age::DECIMAL(9,2) AS age, chol::FLOAT AS chol, sex, fbs::INTEGER AS fbs,
       num::UTINYINT AS num FROM read_csv('${directory.path(directory.write('source.csv', csv()))}')`,
    )
    using dataset = await open({ name: 'heart', path: 'sound.parquet' }, directory.path())
    expect(dataset.columns.map(({ type }) => type)).toEqual(['DECIMAL(9,2)', 'FLOAT', 'VARCHAR', 'INTEGER', 'UTINYINT'])
    expect(await valuesOf(dataset)).toEqual(SOUND_VALUES)
  })

  it('reads many records, in more than one chunk', async () => {
    await writeParquet(
      directory.path('many.parquet'),
      `SELECT 20 + i % 50 AS age, 100 AS chol, 'Male' AS sex, true AS fbs, i % 2 AS num FROM range(10000) t(i)`,
    )
    using dataset = await open({ name: 'heart', path: 'many.parquet' }, directory.path())
    const [ages, , , , labels] = await valuesOf(dataset)
    expect(ages).toEqual(Array.from({ length: 10_000 }, (_, i) => 20 + (i % 50)))
    expect(labels).toEqual(Array.from({ length: 10_000 }, (_, i) => i % 2))
  })

  it('keeps what it read when the file changes afterwards', async () => {
    using dataset = await open({ name: 'heart', path: directory.write('changing.csv', csv()) }, directory.path())
    directory.write('changing.csv', csv(SOUND_LINES.slice(0, 3)))
    expect(await valuesOf(dataset)).toEqual(SOUND_VALUES)
  })

  it('refuses to read after it was closed, and closes twice', async () => {
    const dataset = await open({ name: 'heart', path: directory.write('closed.csv', csv()) }, directory.path())
    dataset.close()
    dataset.close()
    expect((await refusal(() => dataset.readRecords(schema))).code).toBe('dataset-closed')
  })
})

describe('a dataset by SQL', () => {
  const tables = () => ({
    patients: directory.write('patients.csv', csv()),
    labs: directory.write('labs.csv', `${HEADER}\n`.replace(HEADER, 'age,ldl\n40,130\n41,140')),
  })

  it('reads a query over named files', async () => {
    const sql = `SELECT age, chol * 1 AS chol, sex, fbs, num -- the comment stays
      FROM patients WHERE age < 60 ORDER BY age DESC;`
    using dataset = await open({ name: 'heart', sql, tables: tables() }, directory.path())
    expect((await valuesOf(dataset))[0]).toEqual(SOUND_VALUES[0].toReversed())
  })

  it('reads an ENUM, and does not list its values, which are data', async () => {
    const sql = `SELECT age, chol, sex::ENUM('Male', 'Female') AS sex, fbs, num FROM patients`
    using dataset = await open({ name: 'heart', sql, tables: tables() }, directory.path())
    expect(dataset.columns[2]).toEqual({ name: 'sex', type: 'ENUM' })
    expect(await valuesOf(dataset)).toEqual(SOUND_VALUES)
  })

  it('joins files', async () => {
    const sql = 'FROM patients LEFT JOIN labs USING (age) SELECT age, ldl AS chol, sex, fbs, num ORDER BY age'
    using dataset = await open({ name: 'heart', sql, tables: tables() }, directory.path())
    expect((await valuesOf(dataset))[1]).toEqual([130, 140, ...Array(10).fill(Number.NaN)])
  })

  it.each([
    ['a syntax error', 'SELECT * FORM patients', 'sql-invalid', /syntax error at line 1, column 15/],
    ['a syntax error on a later line', 'SELECT *\nFROM patients\nWHERE WHERE', 'sql-invalid', /line 3, column 7/],
    ['an unknown column', `SELECT height FROM patients`, 'sql-invalid', /column.* at line 1, column 8/],
    ['an unknown table', 'SELECT * FROM patient', 'sql-invalid', /unknown table/],
    ['a cast that a value does not survive', 'SELECT sex::INTEGER AS sex FROM patients', 'sql-failed', /TRY_CAST/],
    ['a literal that does not cast', `SELECT '${SECRET}'::INTEGER AS age FROM patients`, 'sql-failed', /TRY_CAST/],
    ['an error that quotes a value', `SELECT error('${SECRET}') FROM patients`, 'sql-failed', /by hand/],
    ['two statements', 'SELECT 1; SELECT 2', 'sql-not-a-query', /one SELECT/],
    ['a statement that writes', 'DROP TABLE patients', 'sql-not-a-query', /one SELECT/],
    ['nothing', ' -- nothing', 'sql-not-a-query', /one SELECT/],
    ['no records', 'SELECT * FROM patients WHERE age > 200', 'dataset-empty', /no records/],
  ])('refuses %s', async (_, sql, code, message) => {
    const refused = await refusal(() => open({ name: 'heart', sql, tables: tables() }, directory.path()))
    expect(refused).toEqual({ code, message: expect.stringMatching(message) })
  })

  it('says nothing of a value that a cast stumbles over', async () => {
    const path = directory.write('named.csv', `name\n${SECRET}\n`)
    const sql = 'SELECT name::INTEGER AS age FROM people'
    const refused = await refusal(() => open({ name: 'heart', sql, tables: { people: path } }, directory.path()))
    expect(refused.code).toBe('sql-failed')
  })

  it('refuses a query that needs more memory than it may take, without spilling records to disk', async () => {
    const sql = 'SELECT a.range, b.range AS other FROM range(100000) a, range(1000) b ORDER BY random()'
    const refused = await refusal(() => open({ name: 'heart', sql, tables: {} }, directory.path(), 64))
    expect(refused).toEqual({ code: 'dataset-memory-exceeded', message: expect.stringContaining('memoryLimitMb') })
  })
})

describe('the walls around a dataset', () => {
  const outside = temporaryDirectory()

  it.each([
    ['another file as CSV', (path: string) => `SELECT * FROM read_csv('${path}')`],
    ['another file as text', (path: string) => `SELECT * FROM read_text('${path}')`],
    ['another file by its name', (path: string) => `SELECT * FROM '${path}'`],
    ['a list of files', () => `SELECT * FROM glob('/*')`],
    ['the network', () => `SELECT * FROM read_csv('https://localhost:9/x.csv')`],
  ])('keep a query from reading %s', async (_, sqlFor) => {
    const path = outside.path(outside.write('other.csv', csv()))
    const tables = { patients: directory.write('inside.csv', csv()) }
    const refused = await refusal(() => open({ name: 'heart', sql: sqlFor(path), tables }, directory.path()))
    expect(refused.code).toBe('sql-invalid')
  })

  it.each([
    // COPY is refused while it is prepared, before its kind is known.
    ["COPY patients TO 'out.csv'", 'sql-invalid'],
    ["ATTACH 'out.duckdb'", 'sql-not-a-query'],
    ['INSTALL httpfs', 'sql-not-a-query'],
    ['LOAD httpfs', 'sql-not-a-query'],
    ['SET enable_external_access = true', 'sql-not-a-query'],
    ['PRAGMA disable_optimizer', 'sql-not-a-query'],
  ])('keep out %s', async (sql, code) => {
    const tables = { patients: directory.write('inside.csv', csv()) }
    const refused = await refusal(() => open({ name: 'heart', sql, tables }, directory.path()))
    expect(refused.code).toBe(code)
    expect(readdirSync(directory.path())).not.toContain('out.csv')
  })

  it('take a feature schema’s names and values for what they are', async () => {
    const column = `a"; DROP TABLE records; --`
    const value = `x' OR '1'='1`
    const content = csv(
      Array.from({ length: 10 }, (_, i) => `"${value}",${i}`),
      `"${column.replaceAll('"', '""')}",num`,
    )
    using dataset = await open({ name: 'odd', path: directory.write('odd.csv', content) }, directory.path())
    const { table } = await dataset.readRecords({
      features: [{ kind: 'categorical', name: 'odd', column, values: ['y', value], missingIndicator: false }],
      label: { name: 'label', column: 'num', positiveWhen: { oneOf: [`'); DROP TABLE records; --`, 3] } },
    })
    expect([...table.columns[0].values]).toEqual(Array(10).fill(1))
    expect([...table.labels]).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  })

  it('let a link lead to the file that the configuration names', async () => {
    const target = outside.path(outside.write('target.csv', csv()))
    symlinkSync(target, directory.path('link.csv'))
    using dataset = await open({ name: 'heart', path: 'link.csv' }, directory.path())
    expect(dataset.recordCount).toBe(12)
  })
})
