import type { Randomness } from '../crypto/randomness.ts'
import { ProtocolError } from './protocol-error.ts'
import {
  checkHolds,
  quantisationStep,
  type Segment,
  type SegmentValues,
  segmentValues,
  type VectorLayout,
  vectorLength,
} from './segments.ts'

/** Values quantised between two random refills: 64 kB of randomness at a time. */
const BLOCK = 16_384

/**
 * Quantises a stretch of one holder's vector to the lanes of the payload: clip to [low, high], scale to
 * [0, 2^precisionBits − 1], round stochastically, so that the expectation is the clipped value (Gupta et al., ICML 2015).
 * Rounding draws 32 bits per value from the CSPRNG: its bias is below 2^-32 of a step.
 *
 * A large vector is quantised chunk by chunk as it is protected, so that it never exists twice.
 *
 * @param values one holder's plaintext; never leaves it.
 * @param first index of the first value in the whole vector. @param count how many; all of them unless told.
 * @returns integers in [0, 2^precisionBits), segments in the order of the layout. As secret as the values.
 * @throws ProtocolError `value-not-finite` for NaN or infinity (the segment is named, the value is not),
 *   `value-count-mismatch` when a segment is missing or has another length, or the stretch leaves the vector.
 */
export function quantise(
  layout: VectorLayout,
  values: SegmentValues,
  randomness: Randomness,
  first = 0,
  count = vectorLength(layout),
): Uint32Array {
  if (!(first >= 0 && count >= 0 && first + count <= vectorLength(layout))) {
    throw new ProtocolError('value-count-mismatch', `The vector has no ${count} values from ${first} on.`)
  }
  const lanes = new Uint32Array(count)
  let segmentStart = 0
  for (const segment of layout.segments) {
    const source = segmentValues(values, segment)
    const from = Math.max(0, first - segmentStart)
    const to = Math.min(segment.length, first + count - segmentStart)
    for (let at = from; at < to; at += BLOCK) {
      const end = Math.min(at + BLOCK, to)
      const target = lanes.subarray(segmentStart + at - first, segmentStart + end - first)
      quantiseBlock(segment, layout.precisionBits, source, at, target, randomness)
    }
    segmentStart += segment.length
  }
  return lanes
}

/** Quantises `target.length` values of a segment from `from` on. `target` first holds the random draws. */
function quantiseBlock(
  segment: Segment,
  precisionBits: number,
  source: ArrayLike<number>,
  from: number,
  target: Uint32Array,
  randomness: Randomness,
): void {
  const { low, high, name } = segment
  const top = 2 ** precisionBits - 1
  const scale = 1 / quantisationStep(segment, precisionBits)
  randomness.fill(new Uint8Array(target.buffer, target.byteOffset, target.byteLength))
  for (let i = 0; i < target.length; i++) {
    const value = source[from + i]
    if (!Number.isFinite(value)) {
      throw new ProtocolError(
        'value-not-finite',
        `Segment ${name} holds a value that is not a finite number: lower the learning rate or check the data.`,
      )
    }
    const scaled = value <= low ? 0 : value >= high ? top : (value - low) * scale
    const floor = Math.floor(scaled)
    const up = target[i] < (scaled - floor) * 2 ** 32 ? 1 : 0
    target[i] = Math.min(floor + up, top)
  }
}

/**
 * The sums of the real values from the opened sums of lanes, which are few enough to be held as a whole. In place: the
 * result are views of `laneSums`, whose integers are overwritten.
 *
 * @param laneSums exact integers in [0, contributors · (2^precisionBits − 1)], in layout order.
 * @throws ProtocolError `check-not-zero` when the sum was opened with a wrong key; `laneSums` is then as it was
 * @returns the sum per segment; off from the sum of clipped values by at most `contributors` steps, unbiased.
 */
export function dequantiseSums(
  layout: VectorLayout,
  laneSums: Float64Array,
  contributors: number,
): Map<string, Float64Array> {
  if (laneSums.length !== vectorLength(layout)) {
    throw new ProtocolError('value-count-mismatch', `The opened sum has ${laneSums.length} values: another plan's.`)
  }
  if (!checkHolds(laneSums)) {
    throw new ProtocolError('check-not-zero', 'The check segment of the opened sum is not zero: the key sum is wrong.')
  }
  const sums = new Map<string, Float64Array>()
  let offset = 0
  for (const segment of layout.segments) {
    const values = laneSums.subarray(offset, offset + segment.length)
    sums.set(segment.name, dequantiseStretch(segment, layout.precisionBits, values, contributors))
    offset += segment.length
  }
  return sums
}

/**
 * As {@link dequantiseSums}, for some lane sums of one segment: Σ value = contributors · low + step · Σ q. In place.
 * @returns `laneSums`, which now holds values
 */
export function dequantiseStretch(
  segment: Segment,
  precisionBits: number,
  laneSums: Float64Array,
  contributors: number,
): Float64Array {
  const step = quantisationStep(segment, precisionBits)
  const base = contributors * segment.low
  for (let i = 0; i < laneSums.length; i++) laneSums[i] = base + step * laneSums[i]
  return laneSums
}
