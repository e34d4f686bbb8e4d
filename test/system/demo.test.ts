import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeModelFile } from '../../src/learning/model-file.ts'
import { databaseOfProcesses } from '../support/coordinator-database.ts'
import { runSluice } from '../support/processes.ts'

const out = mkdtempSync(join(tmpdir(), 'sluice-demo-test-'))
afterAll(() => rmSync(out, { recursive: true }))

describe('the demo', () => {
  it('ends with its figures, leaves model and report behind, and nothing else', async () => {
    const temporary = join(out, 'tmp')
    mkdirSync(temporary)
    const database = await databaseOfProcesses(out)
    const { code, stdout, stderr } = await runSluice(['demo', '--json', '--rounds', '3', '--out', join(out, 'out')], {
      TMPDIR: temporary,
    })
    await database.drop()
    expect(code, stderr).toBe(0)
    const figures = JSON.parse(stdout.trim().split('\n').at(-1)!)
    expect(figures).toMatchObject({ rounds: 3, holders: 4, processes: 5, backend: expect.any(String) })
    // Of two jobs with a statistics, three training and an evaluation round each, no hospital had to be believed.
    expect(figures).toMatchObject({ logVerified: true, sumVerifiedBy: 4, logSize: expect.any(Number) })
    expect(figures.logSize).toBeGreaterThan(50)
    for (const scores of [figures.accuracy, figures.auc]) {
      for (const name of ['federated', 'alone', 'pooled']) {
        expect(scores[name]).toBeGreaterThan(0.4)
        expect(scores[name]).toBeLessThanOrEqual(1)
      }
    }
    for (const name of ['bytesUpPerWeight', 'wallS', 'roundMsMedian']) expect(figures[name]).toBeGreaterThan(0)
    expect(readdirSync(join(out, 'out')).sort()).toEqual([
      'charts',
      'logistic',
      'model.json',
      'model.safetensors',
      'report.md',
      'statistics.json',
    ])
    const { model, weights } = decodeModelFile(readFileSync(join(out, 'out/model.safetensors')))
    const description = JSON.parse(readFileSync(join(out, 'out/model.json'), 'utf8'))
    expect(description).toMatchObject({ model, weights: weights.length })
    const report = readFileSync(join(out, 'out/report.md'), 'utf8')
    expect(report).toContain('| federated |')
    expect(report).toContain('What the coordinator saw')
    expect(report).toMatch(
      new RegExp(`The log of ${figures.logSize} statements is whole, cosigned by [34] hospitals; .* is in order\\.`),
    )
    expect(report).toContain('Every published sum was verified by at least 4 of the 4 hospitals.')
    for (const [, chart] of report.matchAll(/\]\((charts\/[^)]+\.svg)\)/g)) {
      expect(readFileSync(join(out, 'out', chart), 'utf8')).toMatch(/^<svg/)
    }
    // The venue's directory, keys and all, is gone; so are its processes, or the command would not have ended.
    expect(readdirSync(temporary)).toEqual([])
  }, 120_000)
})
