/** docs/OBSERVING.md is held against the metrics, spans and checks that the code has. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { adminListenOf } from '../../src/cli/venue-files.ts'
import { coordinatorMetrics } from '../../src/observe/coordinator-metrics.ts'
import { holderMetrics } from '../../src/observe/holder-metrics.ts'
import { openRegistry } from '../../src/observe/metric-registry.ts'
import { codeIn, documentedTable, readPage, section } from './pages.ts'

const ROOT = resolve(import.meta.dirname, '../..')

function coordinatorRegistry(): Registry {
  const registry = openRegistry('0')
  coordinatorMetrics(registry, {
    connected: () => [],
    members: () => [],
    unfinishedJobs: async () => [],
    logEntries: () => 0,
    spoolBytes: async () => ({ contributions: 0, openings: 0 }),
    certificateNotAfter: () => new Date(),
  })
  return registry
}

function holderRegistry(): Registry {
  const registry = openRegistry('0')
  holderMetrics(registry, { isConnected: () => true, certificateNotAfter: () => new Date() })
  return registry
}

/** Names and labels of a registry's own metrics; prom-client keeps the labels on each metric. */
function metricsOf(registry: Registry): Map<string, string[]> {
  const all = registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[]
  return new Map(all.flatMap(({ name, labelNames }) => (name.startsWith('sluice_') ? [[name, [...labelNames]]] : [])))
}

describe('docs/OBSERVING.md', () => {
  it('names every metric with its labels, and no other', () => {
    const shown = documentedTable('docs/OBSERVING.md', 'sluice_rounds_total')
    const [coordinator, holder] = [metricsOf(coordinatorRegistry()), metricsOf(holderRegistry())]
    expect([...shown.keys()].sort()).toEqual([...new Set([...coordinator.keys(), ...holder.keys()])].sort())
    for (const [name, row] of shown) {
      const of = coordinator.has(name) ? (holder.has(name) ? 'both' : 'coordinator') : 'holder'
      expect(row.of, name).toBe(of)
      expect(codeIn(row.labels), name).toEqual(coordinator.get(name) ?? holder.get(name))
    }
  })

  it('names the metrics of Node that it speaks of', async () => {
    const named = codeIn(section('docs/OBSERVING.md', 'Metrics')).filter((name) => /^nodejs_\w+$/.test(name))
    expect(named.length).toBeGreaterThan(0)
    const text = await openRegistry('0').metrics()
    for (const name of named) expect(text).toContain(name)
  })

  it('names every attribute that a span can have', () => {
    const source = readFileSync(join(ROOT, 'src/observe/traces.ts'), 'utf8')
    const attributes = new Set([...source.matchAll(/readonly '(sluice\.\w+)'/g)].map(([, name]) => name))
    const shown = codeIn(section('docs/OBSERVING.md', 'Traces')).filter((name) => name.startsWith('sluice.'))
    expect(new Set(shown)).toEqual(attributes)
  })

  it('names every span', () => {
    const shown = new Set(codeIn(section('docs/OBSERVING.md', 'Traces')))
    const [, works] = /type RoundWork = ([^\n]+)/.exec(readPage('src/coordinator/ports.ts'))!
    const [, holderWorks] = /type HolderWork = ([^\n]+)/.exec(readPage('src/observe/holder-observer.ts'))!
    const kinds = [
      ...readPage('src/protocol/holder-messages.ts')
        .split('HolderReply =')[0]
        .matchAll(/kind: '([a-z-]+)'/g),
    ]
    const spans = [...`${works}${holderWorks}`.matchAll(/'([a-z]+)'/g), ...kinds].map(([, name]) => name)
    expect(spans.length).toBeGreaterThan(18)
    // A request about members belongs to no round.
    expect(spans.filter((name) => !shown.has(name) && name !== 'admit')).toEqual([])
  })

  it('tells where the administrator’s listener is', () => {
    expect(adminListenOf({ listen: '0.0.0.0:7443' })).toBe('127.0.0.1:7446')
    expect(adminListenOf({ listen: '127.0.0.1:0' })).toBe('127.0.0.1:0')
    expect(adminListenOf({ listen: '127.0.0.1:7443', adminListen: 'none' })).toBeUndefined()
  })
})
