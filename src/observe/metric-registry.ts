import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/*
 * How Sluice makes its metrics: each with a name of its own under `sluice_`, units in the name (seconds, bytes), labels from closed
 * sets. docs/OBSERVING.md lists them, and a test holds the list against the registries.
 */

/** A registry with what Node itself tells: event loop, memory, processor, garbage collector. @param version of this software */
export function openRegistry(version: string): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'sluice_build_info',
    help: 'Always 1; the label tells the version of Sluice.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1)
  return registry
}

export function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[] = [],
): Counter<Label> {
  return new Counter({ name, help, labelNames: [...labelNames], registers: [registry] })
}

/** From 5 ms to 20 minutes: a round of a small model, and the upload of a large one over a slow link. */
const SECONDS_BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200]

export function secondsHistogram<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[] = [],
): Histogram<Label> {
  return new Histogram({ name, help, labelNames: [...labelNames], buckets: SECONDS_BUCKETS, registers: [registry] })
}

/** What a gauge reads: a number, or one for each set of labels. */
export type GaugeReading<Label extends string> =
  | number
  | readonly { readonly labels: Readonly<Record<Label, string>>; readonly value: number }[]

/** A gauge that is read when it is scraped. What cannot be read is not shown as another number: NaN, or no series. */
export function readGauge<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
  read: () => GaugeReading<Label> | Promise<GaugeReading<Label>>,
): void {
  new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    async collect() {
      const reading = await Promise.resolve()
        .then(read)
        .catch(() => (labelNames.length > 0 ? [] : Number.NaN))
      this.reset()
      if (typeof reading === 'number') this.set(reading)
      else for (const { labels, value } of reading) this.set(labels, value)
    },
  })
}
