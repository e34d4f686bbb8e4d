import { LogError } from './log-error.ts'
import { HASH_BYTES } from './merkle-hash.ts'
import type { TileAddress } from './tile-path.ts'

/** An entry's length travels in 16 bits (tlog-tiles, Log entries). */
export const ENTRY_BYTES_MAX = 0xffff
const LENGTH_BYTES = 2

/**
 * The largest resource that this tile can be: what a fetcher may accept before it looks at the content.
 */
export function tileBytesMax({ level, width }: TileAddress): number {
  return width * (level === 'entries' ? LENGTH_BYTES + ENTRY_BYTES_MAX : HASH_BYTES)
}

/**
 * Entries one after the other, each behind its length in two bytes, big-endian (tlog-tiles, Log entries).
 * @throws LogError `entry-too-large`
 */
export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  const parts = entries.flatMap((entry) => {
    requireEntrySize(entry)
    return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]
  })
  return new Uint8Array(Buffer.concat(parts))
}

/**
 * The inverse of {@link encodeEntries}: `count` entries and nothing behind them, as views of the bytes.
 * @throws LogError `malformed-bundle`
 */
export function decodeEntries(bytes: Uint8Array, count: number): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: Uint8Array[] = []
  let offset = 0
  while (offset < bytes.length) {
    const start = offset + LENGTH_BYTES
    const end = start <= bytes.length ? start + view.getUint16(offset) : Number.POSITIVE_INFINITY
    if (end > bytes.length || entries.length === count) throw malformed(count)
    entries.push(bytes.subarray(start, end))
    offset = end
  }
  if (entries.length !== count) throw malformed(count)
  return entries
}

/** @throws LogError `entry-too-large` above {@link ENTRY_BYTES_MAX} */
export function requireEntrySize(entry: Uint8Array): void {
  if (entry.length > ENTRY_BYTES_MAX) {
    const reason = `An entry has at most ${ENTRY_BYTES_MAX} bytes, this one ${entry.length}: log the digest of its payload.`
    throw new LogError('entry-too-large', reason)
  }
}

function malformed(count: number): LogError {
  const reason = `Not exactly ${count} entries, each behind its length: fetch them again.`
  return new LogError('malformed-bundle', reason)
}
