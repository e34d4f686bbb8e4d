import { StoreError } from './store-error.ts'

/** Bytes of one segment, at most: less than what file systems give a name. */
const SEGMENT_LENGTH_MAX = 200
const SEGMENT = /^[a-zA-Z0-9._-]+$/

/**
 * The segments of a key, or of a prefix of keys. They have no separator and none is "." or "..", so that a path made of them does
 * not lead out of its directory.
 * @throws StoreError `invalid-value`
 */
export function keySegments(key: string): readonly string[] {
  const segments = key.split('/')
  if (segments.every(isSegment)) return segments
  throw new StoreError(
    'invalid-value',
    `${JSON.stringify(key.slice(0, 300))} is no key of a blob: segments of a–z, A–Z, 0–9, ".", "_" and "-", joined by "/".`,
  )
}

function isSegment(segment: string): boolean {
  return segment.length <= SEGMENT_LENGTH_MAX && SEGMENT.test(segment) && segment !== '.' && segment !== '..'
}

/** A range of `size` bytes, all of them unless told. @throws StoreError `invalid-value` when it is not within them */
export function rangeWithin(
  range: { readonly offset: number; readonly bytes: number } | undefined,
  size: number,
): { readonly offset: number; readonly bytes: number } {
  if (!range) return { offset: 0, bytes: size }
  const { offset, bytes } = range
  const isRange = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes) && offset >= 0 && bytes >= 0
  if (isRange && offset + bytes <= size) return range
  throw new StoreError('invalid-value', `There are no ${bytes} bytes at ${offset} in ${size} bytes.`)
}
