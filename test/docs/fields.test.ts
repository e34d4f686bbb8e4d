/** Every table of fields, codes and columns in the documents is held against what the code has. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { holderConfigSchema } from '../../nodes/holder/holder-config.ts'
import { holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { featureFieldSchema } from '../../src/learning/feature-schema.ts'
import { jobSpecificationSchema } from '../../src/learning/job-specification.ts'
import { parseModel } from '../../src/learning/model.ts'
import { abandonmentSchema } from '../../src/protocol/abandonment.ts'
import { candidatesSchema } from '../../src/protocol/candidates.ts'
import { certificateSchema } from '../../src/protocol/certificate.ts'
import { contributionSchema } from '../../src/protocol/contribution.ts'
import { dealingSchema } from '../../src/protocol/dealing.ts'
import { manifestSchema } from '../../src/protocol/manifest.ts'
import { payloadHashSchema } from '../../src/protocol/payload-hash.ts'
import { publicationSchema } from '../../src/protocol/publication.ts'
import {
  applicationSchema,
  departureSchema,
  membershipSchema,
  revocationSchema,
} from '../../src/protocol/registry-statements.ts'
import { roundPlanSchema } from '../../src/protocol/round-plan.ts'
import { shareCheckSchema } from '../../src/protocol/share-check.ts'
import { shareSumSchema } from '../../src/protocol/share-sum.ts'
import { migrate, readMigrations } from '../../src/store/migrations.ts'
import { openPgliteDatabase } from '../../src/store/pglite-database.ts'
import { codeIn, documentedTable, fencedBlocks, readPage, tables } from './pages.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** As much of a JSON schema as is looked at. */
interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly required?: readonly string[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
}

const jobSchema = z.toJSONSchema(jobSpecificationSchema, { io: 'input' }) as JsonSchema
const GROUPS = ['training', 'evaluation', 'protection', 'collection']

function jobFields(): Map<string, JsonSchema> {
  return new Map(
    Object.entries(jobSchema.properties!).flatMap(([name, schema]): [string, JsonSchema][] =>
      GROUPS.includes(name)
        ? Object.entries(schema.properties!).map(([inner, field]) => [`${name}.${inner}`, field])
        : [[name, schema]],
    ),
  )
}

describe('docs/JOBS.md', () => {
  const documented = documentedTable('docs/JOBS.md', 'training.rounds')

  it('names every field of a job, and no other', () => {
    expect([...documented.keys()]).toEqual([...jobFields().keys()])
  })

  it('names the defaults', () => {
    const shown = [...documented].map(([name, row]) => [name, row.default.replaceAll('`', '')])
    const real = [...jobFields()].map(([name, { default: value }]) => [name, value === undefined ? '' : String(value)])
    expect(shown).toEqual(real)
  })

  it('names the bounds of numbers', () => {
    const forms = (bound: number) => [bound.toLocaleString('en-US'), `10^${Math.log10(bound)}`]
    const missing = [...jobFields()].flatMap(([name, { minimum, maximum }]) =>
      [minimum, maximum]
        .filter((bound) => bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER)
        .filter((bound) => !forms(bound!).some((form) => documented.get(name)!.bounds.includes(form)))
        .map((bound) => `${name}: ${bound}`),
    )
    expect(missing).toEqual([])
  })

  it('names every field of a feature, with its default', () => {
    const { anyOf, oneOf } = z.toJSONSchema(featureFieldSchema, { io: 'input' }) as JsonSchema
    const real = new Map((anyOf ?? oneOf!).flatMap(({ properties }) => Object.entries(properties!)))
    const shown = documentedTable('docs/JOBS.md', 'missingIndicator')
    expect([...shown.keys()].sort()).toEqual([...real.keys()].sort())
    for (const [name, row] of shown) expect(row.default.replaceAll('`', '')).toBe(String(real.get(name)!.default ?? ''))
  })

  it('shows a model that is one', () => {
    const [shown] = fencedBlocks(readPage('docs/JOBS.md'), 'yaml model')
    expect(parseModel(parse(shown))).toMatchObject({ inputShape: [8], output: 'binary' })
  })
})

describe('docs/OPERATING.md', () => {
  it('names every field of holder.yaml, with its default', () => {
    const shown = documentedTable('docs/OPERATING.md', 'trainerBackend')
    expect([...shown.keys()]).toEqual(Object.keys(holderConfigSchema.shape))
    expect(shown.get('datasets')!.default).toBe('`[]`')
    expect(shown.get('trainerBackend')!.default).toBe(`\`${holderConfigSchema.shape.trainerBackend.parse(undefined)}\``)
  })

  it('names every field of policy.yaml, with its default', () => {
    const shown = documentedTable('docs/OPERATING.md', 'toleratedMembers')
    const defaults: Record<string, unknown> = holderPolicySchema.parse({ datasets: { heart: {} } })
    expect([...shown.keys()]).toEqual(Object.keys(holderPolicySchema.shape))
    for (const [name, row] of shown) {
      if (name !== 'datasets') expect(row.default.replaceAll('`', ''), name).toBe(String(defaults[name]))
    }
  })
})

describe('docs/PROTOCOL.md', () => {
  it('names the fields of every statement, in their order', () => {
    const shown = documentedTable('docs/PROTOCOL.md', 'round-plan')
    const real = {
      'round-plan': roundPlanSchema,
      contribution: contributionSchema,
      candidates: candidatesSchema,
      'share-check': shareCheckSchema,
      dealing: dealingSchema,
      manifest: manifestSchema,
      certificate: certificateSchema,
      'share-sum': shareSumSchema,
      'payload-hash': payloadHashSchema,
      publication: publicationSchema,
      abandonment: abandonmentSchema,
    }
    expect([...shown.keys()]).toEqual(Object.keys(real))
    for (const [name, { shape }] of Object.entries(real)) {
      expect(codeIn(shown.get(name)!.fields), name).toEqual(Object.keys(shape))
    }
  })

  it('names the fields of every statement about members, in their order', () => {
    const shown = documentedTable('docs/PROTOCOL.md', 'membership')
    const real = {
      application: applicationSchema,
      departure: departureSchema,
      membership: membershipSchema,
      revocation: revocationSchema,
    }
    expect([...shown.keys()]).toEqual(Object.keys(real))
    for (const [name, { shape }] of Object.entries(real)) {
      expect(codeIn(shown.get(name)!.fields), name).toEqual(Object.keys(shape))
    }
  })

  it('names every refusal of the protocol, and no other', () => {
    const [, union] = /type Refusal =([\s\S]*?)\n\n/.exec(readPage('src/protocol/protocol-error.ts'))!
    const codes = [...union.matchAll(/\| '([a-z-]+)'/g)].map(([, code]) => code)
    expect([...documentedTable('docs/PROTOCOL.md', 'bad-signature').keys()]).toEqual(codes)
  })

  it('has a test for each of the fifteen things that must be survived', () => {
    const items = tables(readPage('docs/PROTOCOL.md')).find((rows) => rows[0]['must be survived'] !== undefined)!
    expect(items.map((row) => Object.values(row)[0])).toEqual(Array.from({ length: 15 }, (_, i) => String(i + 1)))
    for (const row of items) expect(row['shown by']).toMatch(/\]\(\.\.\/test\//)
  })
})

describe('docs/THREAT_MODEL.md', () => {
  it('has a test for every claim', () => {
    const claims = tables(readPage('docs/THREAT_MODEL.md')).flatMap((rows) => (rows[0].claim === undefined ? [] : rows))
    expect(claims.length).toBeGreaterThan(20)
    for (const row of claims) expect(row['shown by'], row.claim).toMatch(/\]\(\.\.\/test\/[\w./-]+\.test\.ts\)/)
  })
})

describe('docs/DATA_MODEL.md', () => {
  it('names every table and column of the coordinator’s database', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-schema-'))
    const database = await openPgliteDatabase(directory)
    try {
      await migrate(database, await readMigrations())
      const columns = await database.query<{ table_name: string; column_name: string }>(
        `SELECT table_name, column_name FROM information_schema.columns
         WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`,
      )
      const real = Map.groupBy(columns, ({ table_name }) => table_name)
      const shown = documentedTable('docs/DATA_MODEL.md', 'statements')
      expect([...shown.keys()].sort()).toEqual([...real.keys()])
      for (const [table, rows] of real) {
        expect(codeIn(shown.get(table)!.columns), table).toEqual(rows.map(({ column_name }) => column_name))
      }
    } finally {
      await database.close()
      rmSync(directory, { recursive: true })
    }
  })

  it('names every column of the holder’s journal', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-journal-'))
    new HolderJournal(directory).close()
    const file = new DatabaseSync(join(directory, 'journal.sqlite'))
    const columns = file.prepare('SELECT name FROM pragma_table_info(?)').all('rounds')
    file.close()
    rmSync(directory, { recursive: true })
    const [journal] = tables(readPage('docs/DATA_MODEL.md')).filter((rows) => rows[0]['so that'] !== undefined)
    expect(journal.flatMap((row) => codeIn(row.column))).toEqual(columns.map(({ name }) => name))
  })
})

describe('docs/ARCHITECTURE.md', () => {
  const code = ['src', 'nodes'].flatMap((root) =>
    readdirSync(join(ROOT, root), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(root, name)),
  )

  it('has a row for every folder with code', () => {
    const folders = new Set(code.flatMap((file) => /^(?:src|nodes)\/[\w-]+(?=\/)/.exec(file) ?? []))
    const shown = documentedTable('docs/ARCHITECTURE.md', 'src/crypto')
    expect([...folders].filter((folder) => !shown.has(folder))).toEqual([])
  })

  it('walks through functions and files that exist', () => {
    const [, walk] = readPage('docs/ARCHITECTURE.md').split('## One round, walked through the code')
    const all = code.map((file) => readPage(file)).join('\n')
    const named = codeIn(walk.split('\n## ')[0])
    expect(named.length).toBeGreaterThan(40)
    const isKnown = (name: string) =>
      name.endsWith('.ts') ? code.some((file) => file === name || file.endsWith(`/${name}`)) : isDefined(all, name)
    expect(named.filter((name) => !isKnown(name))).toEqual([])
  })
})

/** Whether a name (`function`, `Class`, `Class.method`, `#method`, a folder, a word of the protocol) stands in the code. */
function isDefined(code: string, name: string): boolean {
  if (name.startsWith('src/')) return code.length > 0 && readdirSync(join(ROOT, name)).length > 0
  return name.split('.').every((part) => new RegExp(`(?<![\\w-])${part}(?![\\w-])`).test(code))
}
