import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')

/**
 * Who may import what, by folder prefix; a file ending in `.ts` is that file alone. What is not listed is forbidden.
 * docs/ARCHITECTURE.md says why.
 */
const RULES: Record<string, readonly string[]> = {
  'src/configuration': ['src/configuration'],
  'src/crypto': ['src/crypto'],
  'src/log': ['src/log', 'src/crypto/digest.ts', 'src/crypto/statement-key.ts'],
  'src/protocol': ['src/protocol', 'src/crypto', 'src/log'],
  'src/learning': [
    'src/learning',
    'src/protocol/list-field.ts',
    'src/protocol/segments.ts',
    'src/protocol/statement.ts',
    'src/protocol/sum-reading.ts',
    'src/crypto/digest.ts',
    'src/crypto/randomness.ts',
  ],
  'src/coordinator': ['src/coordinator', 'src/crypto', 'src/log', 'src/protocol', 'src/learning'],
  'src/wire': ['src/wire', 'src/coordinator/ports.ts', 'src/crypto', 'src/log', 'src/protocol', 'src/learning'],
  'src/store': ['src/store', 'src/coordinator/ports.ts', 'src/crypto', 'src/log', 'src/protocol', 'src/learning'],
  'src/observe': ['src/observe', 'src/coordinator/ports.ts', 'src/wire/admin-server.ts', 'src/crypto', 'src/protocol'],
  'src/simulate': ['src/simulate', 'src/coordinator', 'src/crypto', 'src/log', 'src/protocol', 'src/learning'],
  'src/cli': ['src', 'nodes'],
  'nodes/trainers': ['nodes/trainers', 'src/learning', 'src/crypto'],
  'nodes/holder': [
    'nodes/holder',
    'nodes/trainers',
    'src/crypto',
    'src/log',
    'src/protocol',
    'src/learning',
    'src/wire',
    'src/observe',
    'src/configuration',
  ],
  'nodes/examples': ['nodes/examples', 'nodes/holder', 'nodes/trainers', 'src/crypto', 'src/protocol', 'src/learning'],
}

/** Importable from everywhere: the base of all named errors. */
const FREE = ['src/sluice-error.ts']

/** The only folders (or files) that may import these packages. */
const OWNERS: Record<string, readonly string[]> = {
  'node-seal': ['src/crypto/ring.ts'],
  '@hpke/core': ['src/crypto/sealed-box.ts'],
  '@peculiar/x509': ['src/crypto/certificates.ts'],
  '@grpc/': ['src/wire'],
  '@tensorflow/': ['nodes/trainers/tfjs'],
  '@duckdb/': ['nodes/holder'],
  '@electric-sql/pglite': ['src/store'],
  '@aws-sdk/': ['src/store'],
  pg: ['src/store'],
  echarts: ['src/cli'],
  '@opentelemetry/': ['src/observe'],
  'prom-client': ['src/observe'],
  commander: ['src/cli'],
  'node:sqlite': ['nodes/holder', 'src/store'],
}

/** Pure folders know no disk, no network, no processes; the simulator is handed those that it runs on. */
const PURE = ['src/crypto', 'src/log', 'src/protocol', 'src/learning', 'src/simulate']
/** Reads node-seal's own module file, once, to see SEAL's memory. */
const IO_EXCEPTIONS = [{ file: 'src/crypto/wasm-memory.ts', target: 'node:fs' }]
const IO_MODULES = /^node:(fs|net|tls|http|https|http2|dgram|dns|child_process|cluster|readline|sqlite)/

interface Import {
  readonly file: string
  readonly target: string
}

function listFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const specifiers = [
    ...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g),
    ...text.matchAll(/new URL\('(\.[^']+\.ts)'/g),
  ]
  return specifiers.map(([, specifier]) => ({
    file,
    target: specifier.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), specifier)) : specifier,
  }))
}

const isIn = (path: string, place: string) =>
  path === place || path.startsWith(place.endsWith('/') ? place : `${place}/`)
const files = ['src', 'nodes'].flatMap(listFiles)
const imports = files.flatMap(importsOf)
const ours = imports.filter(({ target }) => /^(src|nodes|test|bench)\//.test(target))

function violations(all: readonly Import[]): string[] {
  return all.flatMap(({ file, target }) => {
    const folder = Object.keys(RULES).find((place) => isIn(file, place))
    const allowed = folder ? [...RULES[folder], ...FREE] : FREE
    return allowed.some((place) => isIn(target, place)) ? [] : [`${file} imports ${target}`]
  })
}

describe('the dependency rule', () => {
  it('reads the tree: every folder with code has a rule, and hundreds of imports are seen', () => {
    const unruled = files.filter(
      (file) => !Object.keys(RULES).some((place) => isIn(file, place)) && !FREE.includes(file),
    )
    expect(unruled).toEqual([])
    expect(ours.length).toBeGreaterThan(200)
  })

  it('imports run downwards only', () => {
    expect(violations(ours)).toEqual([])
  })

  it('would see a holder node that reaches into the coordinator, and crypto that reaches up', () => {
    const planted = [
      { file: 'nodes/holder/holder-agent.ts', target: 'src/coordinator/run-round.ts' },
      { file: 'src/crypto/ring.ts', target: 'src/protocol/round-plan.ts' },
      { file: 'src/wire/server.ts', target: 'src/coordinator/coordinator.ts' },
      { file: 'src/coordinator/run-round.ts', target: 'src/observe/traces.ts' },
      { file: 'src/coordinator/run-round.ts', target: 'src/simulate/in-memory-wire.ts' },
      { file: 'src/simulate/in-memory-wire.ts', target: 'src/store/payload-spool.ts' },
    ]
    expect(violations(planted)).toHaveLength(planted.length)
  })

  it.each(Object.entries(OWNERS))('%s is imported where it belongs and nowhere else', (name, owners) => {
    const users = imports.filter(({ target }) => (name.endsWith('/') ? target.startsWith(name) : isIn(target, name)))
    expect(users.length).toBeGreaterThan(0)
    expect(users.filter(({ file }) => !owners.some((owner) => isIn(file, owner)))).toEqual([])
  })

  it('a venue without a bucket does not load what speaks to one', () => {
    const loaded = (file: string) => {
      const text = readFileSync(join(ROOT, file), 'utf8')
      return [...text.matchAll(/^import (?!type )[^']*'([^']+)'/gm)].map(([, specifier]) => specifier)
    }
    const needing = (part: string) => files.filter((file) => loaded(file).some((specifier) => specifier.includes(part)))
    expect(needing('@aws-sdk/')).toEqual([])
    expect(needing('s3-blob-store.ts')).toEqual([])
    // A package that is loaded is seen.
    expect(needing('pino').length).toBeGreaterThan(0)
  })

  it('pure folders touch no disk, no network and no process', () => {
    const io = imports.filter(({ file, target }) => PURE.some((place) => isIn(file, place)) && IO_MODULES.test(target))
    expect(io).toEqual(IO_EXCEPTIONS)
  })
})
