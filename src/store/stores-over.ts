import type { ArtifactStore, BlobStore, OpeningStore, PayloadSpool } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { artifactStoreOver } from './artifact-store.ts'
import { payloadSpoolOver } from './payload-spool.ts'

/** What a coordinator keeps as blobs. */
export interface BlobStores {
  readonly blobs: BlobStore
  readonly artifacts: ArtifactStore
  /** Ciphertexts of contributors; what published rounds were opened from. */
  readonly spool: PayloadSpool
  readonly openings: OpeningStore
}

/** A coordinator's stores over its blobs: `artifacts/…`, `spool/…`, `openings/…`. */
export function storesOver(blobs: BlobStore): BlobStores {
  return {
    blobs,
    artifacts: artifactStoreOver(blobs),
    spool: payloadSpoolOver(blobs, 'spool'),
    openings: openingStoreOver(blobs),
  }
}

/** Openings as `openings/<plan>/…`, the key sum as `openings/<plan>/key-sum`. */
function openingStoreOver(blobs: BlobStore): OpeningStore {
  const keyOf = (planDigest: Digest) => `openings/${planDigest}/key-sum`
  return {
    ...payloadSpoolOver(blobs, 'openings'),
    putKeySum: (planDigest, keySum) => blobs.put(keyOf(planDigest), keySum),
    readKeySum: async (planDigest) => {
      const key = keyOf(planDigest)
      return (await blobs.size(key)) === undefined ? undefined : blobs.get(key)
    },
  }
}
