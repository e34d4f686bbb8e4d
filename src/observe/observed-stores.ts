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

export function countingReads<T extends PayloadSpool>(spool: T, count: (bytes: number) => void): T {
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
    read: async function* (digest, offset) {
      for await (const piece of artifacts.read(digest, offset)) {
        count(piece.length)
        yield piece
      }
    },
  }
}
