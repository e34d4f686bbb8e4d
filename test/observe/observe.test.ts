/** The parts of src/observe on their own. */
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { BoundedLabels } from '../../src/observe/bounded-labels.ts'
import { discreetError } from '../../src/observe/discreet-error.ts'
import { readGauge } from '../../src/observe/metric-registry.ts'
import { Readiness } from '../../src/observe/readiness.ts'
import { formatTraceparent, parseTraceparent } from '../../src/observe/traceparent.ts'
import { NO_TRACES, openTraces } from '../../src/observe/traces.ts'
import { SluiceError } from '../../src/sluice-error.ts'
import { startAdminServer } from '../../src/wire/admin-server.ts'
import { openOtlpSink } from '../support/otlp-sink.ts'

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map((each) => each.join(''))
    .filter((text) => !/^0+$/.test(text))

describe('a traceparent', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.constantFrom(0, 1), (traceId, spanId, traceFlags) => {
        const text = formatTraceparent({ traceId, spanId, traceFlags })
        expect(parseTraceparent(text)).toEqual({ traceId, spanId, traceFlags, isRemote: true })
      }),
    )
  })

  it('of any other form is none, and nothing fails for it', () => {
    const zero = '0'.repeat(32)
    for (const text of [
      undefined,
      '',
      'x',
      `00-${zero}-00f067aa0ba902b7-01`,
      `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    ]) {
      expect(parseTraceparent(text)).toBeUndefined()
    }
    fc.assert(fc.property(fc.string(), (text) => parseTraceparent(text) === undefined))
  })
})

describe('spans', () => {
  it('tell of an error its code, and not its words', async () => {
    const sink = await openOtlpSink()
    const traces = openTraces({
      endpoint: sink.endpoint,
      service: 's',
      instance: 'i',
      version: '0',
      onExport: () => {},
    })
    const named = new SluiceError('column-missing', 'no column Atahualpa')
    await expect(traces.span('a', {}, () => Promise.reject(named))).rejects.toBe(named)
    await expect(traces.span('b', {}, () => Promise.reject(new Error('Atahualpa')))).rejects.toThrow('Atahualpa')
    await traces.close()
    expect(sink.spans().map(({ name, attributes }) => [name, attributes])).toEqual([
      ['a', { 'sluice.code': 'column-missing' }],
      ['b', { 'sluice.code': 'fault' }],
    ])
    expect(sink.bodies.join()).not.toContain('Atahualpa')
    await sink.close()
  })

  it('say of the process what they were told to, and nothing of its machine', async () => {
    const sink = await openOtlpSink()
    const traces = openTraces({
      endpoint: sink.endpoint,
      service: 's',
      instance: 'i',
      version: '0',
      onExport: () => {},
    })
    await traces.span('a', {}, async () => {})
    await traces.close()
    const { resource } = JSON.parse(sink.bodies[0]).resourceSpans[0]
    expect(resource.attributes.map(({ key }: { key: string }) => key).sort()).toEqual([
      'service.instance.id',
      'service.name',
      'service.version',
    ])
    await sink.close()
  })

  it('that nobody takes are told of once, and hold nobody up', async () => {
    const told: boolean[] = []
    const traces = openTraces({
      endpoint: 'http://127.0.0.1:9/v1/traces',
      service: 's',
      instance: 'i',
      version: '0',
      onExport: (worked) => told.push(worked),
    })
    expect(await traces.span('a', {}, async () => 7)).toBe(7)
    await traces.close()
    expect(told).toEqual([false])
  })

  it('are none when nothing is configured: work runs as it is', async () => {
    expect(await NO_TRACES.span('a', {}, async () => NO_TRACES.traceparent())).toBeUndefined()
  })
})

describe('labels that peers have a say in', () => {
  it('are few, whatever a holder answers', () => {
    const labels = new BoundedLabels()
    expect(labels.bound('column-missing')).toBe('column-missing')
    for (const odd of ['', 'Über', 'a b', 'x'.repeat(41), '"} 1\nforged 1']) expect(labels.bound(odd)).toBe('other')
    const many = new Set(Array.from({ length: 10_000 }, (_, i) => labels.bound(`code-${i}`)))
    expect(many.size).toBeLessThanOrEqual(64)
    // What was known before stays.
    expect(labels.bound('column-missing')).toBe('column-missing')
  })
})

describe('a gauge that cannot be read', () => {
  it('shows no number of before, and the other metrics are told', async () => {
    const registry = new Registry()
    let works = true
    const read = async () => (works ? 7 : Promise.reject(new Error('away')))
    readGauge(registry, 'a', 'a', [], read)
    readGauge(registry, 'b', 'b', ['kind'], async () => [{ labels: { kind: 'x' }, value: await read() }])
    expect(await registry.metrics()).toMatch(/^a 7$[\s\S]*^b\{kind="x"\} 7$/m)
    works = false
    const text = await registry.metrics()
    expect(text).toMatch(/^a Nan$/m)
    expect(text).not.toMatch(/7$/m)
  })
})

describe('readiness', () => {
  it('begins with no, and names by code what is not met', async () => {
    const readiness = new Readiness()
    expect(await readiness.ask()).toEqual({ ready: false, checks: { started: 'starting' } })
    readiness.use({
      store: () => Promise.reject(new SluiceError('database-unreachable', 'at secret-host')),
      log: async () => 7,
      disk: () => {
        throw new Error('secret-path')
      },
    })
    expect(await readiness.ask()).toEqual({
      ready: false,
      checks: { store: 'database-unreachable', log: 'ok', disk: 'fault' },
    })
    readiness.use({ log: () => {} })
    expect(await readiness.ask()).toEqual({ ready: true, checks: { log: 'ok' } })
  })

  it('asks once for all who ask at a time', async () => {
    let asked = 0
    const readiness = new Readiness()
    readiness.use({ store: async () => void asked++ })
    await Promise.all(Array.from({ length: 20 }, () => readiness.ask()))
    expect(asked).toBe(1)
    await readiness.ask()
    expect(asked).toBe(2)
  })
})

describe('the administrator’s listener', () => {
  it('answers 503 when not ready, 405 to what would change something, 500 without words to a fault', async () => {
    const faults: unknown[] = []
    const desk = {
      identity: { process: 'holder' },
      readiness: async () => ({ ready: false, checks: { connected: 'coordinator-unreachable' } }),
      metrics: () => Promise.reject(new Error('secret')),
    }
    const server = await startAdminServer('127.0.0.1:0', desk, (error) => faults.push(error))
    const ask = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
      return { status: response.status, text: await response.text() }
    }
    expect(await ask('/readyz')).toMatchObject({
      status: 503,
      text: expect.stringContaining('coordinator-unreachable'),
    })
    expect(await ask('/healthz', 'POST')).toMatchObject({ status: 405 })
    expect(await ask('/healthz', 'HEAD')).toEqual({ status: 200, text: '' })
    const failed = await ask('/metrics')
    expect(failed.status).toBe(500)
    expect(failed.text).not.toContain('secret')
    expect(faults).toHaveLength(1)
    await server.stop()
  })
})

describe('an error in a log beside data', () => {
  it('keeps its places and code, and the words only of what Sluice throws on purpose', () => {
    const inner = Object.assign(new TypeError('value Atahualpa\n    at Atahualpa (x.ts:1:1)'), { code: 'EINVAL' })
    const told = discreetError(new SluiceError('column-missing', 'the file has no such column', { cause: inner }))
    expect(told).toMatchObject({
      code: 'column-missing',
      message: 'the file has no such column',
      cause: { type: 'TypeError', code: 'EINVAL' },
    })
    expect(told.cause!.at.length).toBeGreaterThan(0)
    expect(JSON.stringify(told)).not.toContain('Atahualpa')
  })
})
