import { z } from 'zod'
import { ProtocolError } from './protocol-error.ts'

/**
 * A protected vector is made of named segments; each has its own public bounds. A training round, say, carries
 * `update` (the weighted model difference), `weight` (the example count) and the evaluation sums side by side, all in
 * one encrypted vector.
 */
export const segmentSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9.-]{0,62}$/, 'not a segment name: a–z, 0–9, "." and "-"'),
    /** How many values. */
    length: z
      .int()
      .min(1)
      .max(2 ** 40),
    /** Every value is clipped to [low, high]; in the value's own unit. */
    low: z.number(),
    high: z.number(),
  })
  .refine((segment) => segment.low < segment.high, { message: 'low must be below high' })

export type Segment = z.infer<typeof segmentSchema>

/** The layout and precision of one protected vector, as the plan fixes it. */
export const vectorSchema = z.strictObject({
  /** Bits of one quantised value, 1–32: value = low + q · (high − low) / (2^bits − 1). */
  precisionBits: z.int().min(1).max(32),
  segments: z.array(segmentSchema).min(1).max(64),
})

export type VectorLayout = z.infer<typeof vectorSchema>

/** Number of values in the whole vector. */
export function vectorLength(layout: VectorLayout): number {
  return layout.segments.reduce((sum, segment) => sum + segment.length, 0)
}

/** The width of one quantisation step of a segment, in the unit of its values. */
export function quantisationStep(segment: Segment, precisionBits: number): number {
  return (segment.high - segment.low) / (2 ** precisionBits - 1)
}

/** Whether values can be scaled to steps and back in doubles: neither the step nor its inverse is zero or infinite. */
export function hasUsableStep(segment: Segment, precisionBits: number): boolean {
  const step = quantisationStep(segment, precisionBits)
  return Number.isFinite(step) && step > 0 && Number.isFinite(1 / step)
}

/** A segment whose values are counts: step exactly 1, so integers up to 2^precisionBits − 1 travel exactly. */
export function countSegment(name: string, length: number, precisionBits: number): Segment {
  return { name, length, low: 0, high: 2 ** precisionBits - 1 }
}

const CHECK_NAME = 'check'
const CHECK_LENGTH = 64
const ZEROS = new Uint8Array(CHECK_LENGTH)

/**
 * The last segment of every vector: zeros. A sum that is opened with a wrong key is noise there, so whatever the length of
 * the vector, a wrong key passes for a right one with probability below 2^-128: 64 lanes of at least two bits would have to
 * come out as zero (docs/adr/0006).
 */
export function checkSegment(precisionBits: number): Segment {
  return countSegment(CHECK_NAME, CHECK_LENGTH, precisionBits)
}

/** Whether a layout ends in its check segment, and has no other of that name. */
export function endsInCheck({ segments, precisionBits }: VectorLayout): boolean {
  const named = segments.filter(({ name }) => name === CHECK_NAME)
  const last = segments[segments.length - 1]
  const check = checkSegment(precisionBits)
  return (
    named.length === 1 &&
    last === named[0] &&
    last.length === check.length &&
    last.low === check.low &&
    last.high === check.high
  )
}

/** Whether the check segment of an opened sum holds nothing but zeros. @param laneSums in layout order. */
export function checkHolds(laneSums: Float64Array): boolean {
  return laneSums.subarray(laneSums.length - CHECK_LENGTH).every((sum) => sum === 0)
}

/** Values by segment name; one holder's plaintext, or the opened sum. */
export type SegmentValues = ReadonlyMap<string, ArrayLike<number>>

/** The values of one segment; the check's are always zeros. @throws ProtocolError `value-count-mismatch` when absent or of another length. */
export function segmentValues(values: SegmentValues, segment: Segment): ArrayLike<number> {
  const found = segment.name === CHECK_NAME ? ZEROS : values.get(segment.name)
  if (!found || found.length !== segment.length) {
    throw new ProtocolError(
      'value-count-mismatch',
      `Segment ${segment.name} wants ${segment.length} values, got ${found?.length ?? 'none'}: job and plan disagree.`,
    )
  }
  return found
}
