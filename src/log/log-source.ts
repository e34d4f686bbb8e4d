import type { Digest } from '../crypto/digest.ts'
import type { LogReader } from './tile-reader.ts'

/**
 * All that a log shows to the world: its resources of tlog-tiles, and beside them the payloads of statements that were too
 * large for an entry (docs/adr/0005). The coordinator serves one, an HTTP client and a directory are one.
 */
export interface LogSource extends LogReader {
  /**
   * The payload of a logged statement by the SHA-256 of its bytes; undefined when it is not here. Not believed but checked:
   * see `attachPayload`.
   */
  readPayload(payloadSha256: Digest): Promise<Uint8Array | undefined>
}

/** Bytes of a payload that a reader of a stranger's log takes in. No statement of Sluice is larger. */
export const PAYLOAD_BYTES_MAX: number = 4 * 1024 * 1024
