/** Medians for the benches: several runs after warm-up; timings are noisy, so only medians and ratios are worth quoting. */

export interface Timing {
  readonly medianMs: number
  readonly minMs: number
  readonly maxMs: number
}

export function summarise(samplesMs: readonly number[]): Timing {
  const sorted = [...samplesMs].sort((a, b) => a - b)
  return { medianMs: round(sorted[sorted.length >> 1]), minMs: round(sorted[0]), maxMs: round(sorted.at(-1)!) }
}

export function timed<T>(samplesMs: number[], work: () => T): T {
  const started = performance.now()
  const result = work()
  samplesMs.push(performance.now() - started)
  return result
}

export async function timedAsync<T>(samplesMs: number[], work: () => Promise<T>): Promise<T> {
  const started = performance.now()
  const result = await work()
  samplesMs.push(performance.now() - started)
  return result
}

export function round(value: number): number {
  return Number(value.toPrecision(4))
}

export function peakRssMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024)
}
