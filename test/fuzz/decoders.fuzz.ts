/**
 * Every decoder that reads from the network, under bytes that nobody should send. `SLUICE_FUZZ_SECONDS` says for how long,
 * `SLUICE_FUZZ_SEED` repeats a run, `SLUICE_FUZZ_ONLY` takes the decoders whose name contains it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { allTargets } from './all-targets.ts'
import { installAllocationMeter } from './allocation-meter.ts'
import { runFuzz, type TargetStatistics } from './fuzz-run.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import { type Finding, judgeInput } from './judge-input.ts'
import { REGRESSIONS } from './regressions.ts'

const SOURCES = new URL('../../src/', import.meta.url)
const seconds = Number(process.env.SLUICE_FUZZ_SECONDS ?? 600)
const seed = Number(process.env.SLUICE_FUZZ_SEED ?? Date.now())
const only = process.env.SLUICE_FUZZ_ONLY ?? ''
/** Starting, and making the last finding small, are not counted. */
const MARGIN_MS = 120_000

describe('every decoder of bytes from the network', () => {
  const meter = installAllocationMeter()
  let targets: readonly FuzzTarget[]
  beforeAll(async () => {
    targets = await allTargets()
  })

  it('takes what the real encoders made, and gives it back', async () => {
    for (const target of targets) {
      for (const input of target.corpus) {
        expect(await judgeInput(target, input, meter), target.name).toMatchObject({
          accepted: true,
          finding: undefined,
        })
      }
    }
  })

  it('is here, as far as the code says what it reads: every kind of statement', () => {
    const sources = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    const kinds = sources.flatMap((name) =>
      [...readFileSync(new URL(name, SOURCES), 'utf8').matchAll(/= defineStatement(?:<\w+>)?\('([a-z-]+)'/g)].map(
        ([, kind]) => kind,
      ),
    )
    expect(kinds.length).toBeGreaterThan(10)
    expect(targets.map(({ name }) => name)).toEqual(expect.arrayContaining(kinds.map((kind) => `statement: ${kind}`)))
  })

  it.each(REGRESSIONS)('keeps its word where it once did not: $target: $what', async ({ target: name, input }) => {
    const target = targets.find((each) => each.name === name)!
    // The first call also pays for what it compiles and keeps.
    await judgeInput(target, input, meter)
    expect((await judgeInput(target, input, meter)).finding).toBeUndefined()
  })

  it('takes or refuses any bytes by name, within its time and its memory, and gives back what it took', {
    timeout: seconds * 1000 + MARGIN_MS,
  }, async () => {
    console.log(`fuzzing for ${seconds} s with SLUICE_FUZZ_SEED=${seed}`)
    const targetsModule = new URL('./all-targets.ts', import.meta.url).href
    const { findings, statistics } = await runFuzz({ limit: { seconds }, seed, only, targetsModule })
    console.log(table(statistics))
    expect(findings.map(describeFinding)).toEqual([])
    const all = (await allTargets()).filter(({ name }) => name.includes(only))
    expect(statistics.map(({ target }) => target)).toEqual(all.map(({ name }) => name))
  })
})

function describeFinding({ target, kind, what, input }: Finding): string {
  const shown = Buffer.from(input).toString('base64')
  const kept = shown.length > 4000 ? `${shown.slice(0, 4000)}… (${input.length} bytes)` : shown
  return `${target}: ${kind}: ${what}\n  SLUICE_FUZZ_SEED=${seed} SLUICE_FUZZ_ONLY='${target}'; keep in regressions.ts: ${kept}`
}

function table(statistics: readonly TargetStatistics[]): string {
  const rows = statistics.map(({ target, inputs, accepted, spentMs, outcomes }) => {
    const share = ((100 * accepted) / inputs).toFixed(0)
    const numbers = [inputs, Math.round((1000 * inputs) / spentMs), `${share}%`, outcomes, (spentMs / 1000).toFixed(1)]
    return [target.padEnd(44), ...numbers.map((number) => String(number).padStart(9))].join('')
  })
  const total = statistics.reduce((sum, { inputs }) => sum + inputs, 0)
  const head = [
    'decoder'.padEnd(44),
    ...['inputs', 'inputs/s', 'accepted', 'outcomes', 'seconds'].map((name) => name.padStart(9)),
  ]
  return [head.join(''), ...rows, `${total} inputs`].join('\n')
}
