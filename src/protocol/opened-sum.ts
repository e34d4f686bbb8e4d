import { beginDigest, type Digest } from '../crypto/digest.ts'
import { type ChunkGeometry, chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import { inOrder } from './in-order.ts'
import { ProtocolError } from './protocol-error.ts'
import { dequantiseStretch } from './quantiser.ts'
import { checkHolds, type Segment, type VectorLayout } from './segments.ts'
import type { SumReading } from './sum-reading.ts'

export interface ReadSum<Made> {
  /** SHA-256 of the opened lane sums as little-endian float64. */
  readonly aggregate: Digest
  readonly made: Made
}

/** What a sum is of. */
export interface SumSubject {
  readonly layout: VectorLayout
  readonly parameters: PayloadParameters
  readonly contributors: number
}

/**
 * Reads an opened sum, chunk by chunk: the chunks that are not wholly of the streamed segment first, since what a reader needs
 * before the first stretch is in them, and the check; then the others, in order. Memory holds the former and `ahead` chunks.
 *
 * @param openChunk gives a chunk's lane sums, exact integers. Each is asked for once, in the order above.
 * @throws ProtocolError `check-not-zero` when the sum was opened with a wrong key; what `openChunk` and the reading throw
 */
export async function readOpenedSum<Made>(
  subject: SumSubject,
  openChunk: (index: number) => Promise<Float64Array>,
  ahead: number,
  reading: SumReading<Made>,
): Promise<ReadSum<Made>> {
  const { parameters, layout, contributors } = subject
  const streamed = streamedSegment(layout, reading.streamed)
  const rest = restChunk(parameters, streamed?.length ?? 0)
  const restSums = await openRest(parameters, rest, openChunk, ahead)
  if (!checkHolds(restSums)) {
    throw new ProtocolError('check-not-zero', 'The check segment of the opened sum is not zero: the key sum is wrong.')
  }
  const reader = await reading.begin(collect(subject, streamed, restSums, rest.firstValue), contributors)
  const aggregate = beginDigest()
  for await (const laneSums of inOrder(rest.index, ahead, openChunk)) {
    aggregate.add(bytesOf(laneSums))
    reader.take(dequantiseStretch(streamed!, layout.precisionBits, laneSums, contributors))
  }
  aggregate.add(bytesOf(restSums))
  if (streamed && streamed.length > rest.firstValue) {
    const last = restSums.subarray(0, streamed.length - rest.firstValue)
    reader.take(dequantiseStretch(streamed, layout.precisionBits, last, contributors))
  }
  const digest = aggregate.end()
  return { aggregate: digest, made: reader.end(digest) }
}

/** The first of the chunks that are not wholly of the streamed segment: it and those behind it are read first. */
export function restChunk(parameters: PayloadParameters, streamedLength: number): ChunkGeometry {
  return chunkGeometry(parameters, Math.floor(streamedLength / parameters.valuesPerChunk))
}

/** The segment that comes in stretches. @throws ProtocolError `value-count-mismatch` when it is not the layout's first */
export function streamedSegment({ segments }: VectorLayout, name: string | undefined): Segment | undefined {
  if (name === undefined) return undefined
  if (segments[0].name === name) return segments[0]
  throw new ProtocolError('value-count-mismatch', `The vector does not begin with ${name}: a layout of another step.`)
}

async function openRest(
  { chunkCount, length }: PayloadParameters,
  { index, firstValue }: ChunkGeometry,
  openChunk: (index: number) => Promise<Float64Array>,
  ahead: number,
): Promise<Float64Array> {
  const laneSums = new Float64Array(length - firstValue)
  let filled = 0
  for await (const opened of inOrder(chunkCount - index, ahead, (offset) => openChunk(index + offset))) {
    laneSums.set(opened, filled)
    filled += opened.length
  }
  return laneSums
}

/** The values of all segments but the streamed one. Copies: the lane sums are hashed in their turn. */
function collect(
  { layout, contributors }: SumSubject,
  streamed: Segment | undefined,
  laneSums: Float64Array,
  firstValue: number,
): Map<string, Float64Array> {
  const sums = new Map<string, Float64Array>()
  let offset = -firstValue
  for (const segment of layout.segments) {
    const end = offset + segment.length
    if (segment !== streamed) {
      const values = laneSums.slice(offset, end)
      sums.set(segment.name, dequantiseStretch(segment, layout.precisionBits, values, contributors))
    }
    offset = end
  }
  return sums
}

function bytesOf(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
