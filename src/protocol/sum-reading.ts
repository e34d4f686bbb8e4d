import type { Digest } from '../crypto/digest.ts'

/**
 * What is made of an opened sum while it opens (docs/adr/0016): nobody holds the whole of a long one. Says nothing before the
 * sum's check holds, so that a wrong key has no effect.
 */
export interface SumReading<Made> {
  /** The first segment of the layout, where it is too long to be collected; all segments are collected unless it is named. */
  readonly streamed?: string
  /**
   * Once, before any stretch.
   * @param sums Σ over the contributors of the other segments, in the values' own units. The check is among them.
   */
  begin(sums: ReadonlyMap<string, Float64Array>, contributors: number): Promise<StretchReader<Made>>
}

export interface StretchReader<Made> {
  /** The next values of the streamed segment, Σ over the contributors, in their own unit; the reader's to overwrite. */
  take(sums: Float64Array): void
  /** When all was taken. @param aggregate SHA-256 of the lane sums, as a publication names them */
  end(aggregate: Digest): Made
}

/** For sums that are few enough to be held as a whole. @param make what they come to */
export function collecting<Made>(
  make: (sums: ReadonlyMap<string, Float64Array>, contributors: number) => Made,
): SumReading<Made> {
  return {
    begin: async (sums, contributors) => {
      const made = make(sums, contributors)
      return { take: () => {}, end: () => made }
    },
  }
}
