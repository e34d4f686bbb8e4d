import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArtifactStore, PayloadSpool } from '../coordinator/ports.ts'

/*
 * The stores as the server sees them, with the bytes counted that pass: the spool takes in what holders upload, artifacts and
 * openings go out to them.
 */

export function countingWrites(spool: PayloadSpool, count: (bytes: number) => void): PayloadSpool {
  return {
    ...spool,
    open: async (...which) => {
      const writer = await spool.open(...which)
      return {
        resumed: writer.resumed,
        get durable() {
          return writer.durable
        },
        append: async (chunk) => {
          await writer.append(chunk)
          count(chunk.length)
        },
        commit: () => writer.commit(),
        close: () => writer.close(),
      }
    },
  }
}

export function countingReads(spool: PayloadSpool, count: (bytes: number) => void): PayloadSpool {
  return {
    ...spool,
    read: async (planDigest, holder, offset, bytes) => {
      const read = await spool.read(planDigest, holder, offset, bytes)
      count(read.length)
      return read
    },
  }
}

export function countingArtifacts(artifacts: ArtifactStore, count: (bytes: number) => void): ArtifactStore {
  return {
    put: (bytes) => artifacts.put(bytes),
    get: async (digest) => {
      const bytes = await artifacts.get(digest)
      count(bytes.length)
      return bytes
    },
  }
}

/** Bytes of all files below a directory; 0 when it is not there. A file that goes while it is looked at is not counted. */
export async function directoryBytes(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch((fault: unknown) => {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw fault
  })
  let bytes = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    )
  }
  return bytes
}
