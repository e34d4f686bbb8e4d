/** What the documents say is run, or checked against what they speak of. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseDatasetConfig } from '../../nodes/holder/dataset-config.ts'
import { holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { parseJobSpecification } from '../../src/learning/job-specification.ts'
import { runSluice } from '../support/processes.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...listPages('docs'), ...listPages('nodes')]
const text = (page: string) => readFileSync(join(ROOT, page), 'utf8')

function listPages(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
}

const blocks = (page: string, language: string) =>
  [...text(page).matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, body]) => body)
const commandLines = (page: string) => blocks(page, 'sh').flatMap((body) => body.trim().split('\n'))
/** The arguments of a line that runs `sluice`, quotes taken off. */
function sluiceArguments(line: string): string[] | undefined {
  const match = /^(?:npm run sluice -- |sluice )(.*)$/.exec(line.replace(/\s+#.*$/, ''))
  return match?.[1].match(/"[^"]*"|\S+/g)?.map((part) => part.replaceAll('"', ''))
}

describe('the documents', () => {
  it('link to what exists', () => {
    const broken = pages.flatMap((page) =>
      [...text(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)]
        .map(([, target]) => relative(ROOT, resolve(ROOT, dirname(page), target)))
        .filter((target) => !existsSync(join(ROOT, target)))
        .map((target) => `${page} → ${target}`),
    )
    expect(broken).toEqual([])
    expect(pages.length).toBeGreaterThan(12)
  })

  it('name npm scripts that exist', () => {
    const { scripts } = JSON.parse(text('package.json'))
    const named = pages.flatMap((page) => [...text(page).matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name))
    expect(new Set(named).size).toBeGreaterThan(5)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })

  it('name files of the code that exist', () => {
    const missing = pages.flatMap((page) =>
      [...text(page).matchAll(/`((?:src|nodes|test|proto)\/[\w./-]+\.(?:ts|proto|sql))`/g)]
        .map(([, path]) => path)
        .filter((path) => !existsSync(join(ROOT, path)))
        .map((path) => `${page}: ${path}`),
    )
    expect(missing).toEqual([])
  })

  it('show command lines that the command line knows, flag by flag', async () => {
    const lines = [...new Set(pages.flatMap(commandLines))].flatMap((line) => sluiceArguments(line) ?? [])
    expect(lines.length).toBeGreaterThan(20)
    const all = [...new Set(pages.flatMap(commandLines))].flatMap((line) => {
      const args = sluiceArguments(line)
      return args ? [args] : []
    })
    for (const args of all) {
      const [command, sub] = args
      const { code, stdout } = await runSluice([command, ...(sub?.startsWith('-') ? [] : [sub]), '--help'])
      expect(code, args.join(' ')).toBe(0)
      for (const flag of args.filter((part) => part.startsWith('--'))) expect(stdout, args.join(' ')).toContain(flag)
    }
  })

  it('show a job that is one', () => {
    for (const body of blocks('docs/JOBS.md', 'yaml')) expect(parseJobSpecification(parse(body)).name).toBe('heart mlp')
    expect(blocks('docs/JOBS.md', 'yaml').length).toBeGreaterThan(0)
  })

  it('show datasets and a policy that a holder reads', () => {
    const [datasets, policy] = blocks('docs/OPERATING.md', 'yaml').map((body) => parse(body))
    expect(datasets.datasets.map((dataset: unknown) => parseDatasetConfig(dataset).name)).toEqual(['heart', 'recent'])
    expect(holderPolicySchema.parse(policy).datasets.heart.maxRounds).toBe(1000)
  })
})
