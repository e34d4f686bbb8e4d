import type { ArtifactStore, BlobStore, PayloadSpool } from '../coordinator/ports.ts'
import { artifactStoreOver } from './artifact-store.ts'
import { payloadSpoolOver } from './payload-spool.ts'

/** What a coordinator keeps as blobs. */
export interface BlobStores {
  readonly blobs: BlobStore
  readonly artifacts: ArtifactStore
  /** Ciphertexts of contributors; what published rounds were opened from. */
  readonly spool: PayloadSpool
  readonly openings: PayloadSpool
}

/** A coordinator's stores over its blobs: `artifacts/…`, `spool/…`, `openings/…`. */
export function storesOver(blobs: BlobStore): BlobStores {
  return {
    blobs,
    artifacts: artifactStoreOver(blobs),
    spool: payloadSpoolOver(blobs, 'spool'),
    openings: payloadSpoolOver(blobs, 'openings'),
  }
}
